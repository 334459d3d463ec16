// The browser's half of presence.py: says that a view is there, again and again, until it is not.

const INTERVAL = 1500; // ms

function render({ model }) {
  const view = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
  const say = (kind) => {
    try {
      model.send({ view, kind });
    } catch {
      // The kernel is gone, and nobody is left to hear it.
    }
  };
  say("here");
  const timer = setInterval(() => say("here"), INTERVAL);
  return () => {
    clearInterval(timer);
    say("bye");
  };
}

export default { render };
