// The browser's half of presence.py: reports at an interval that the view exists.

const INTERVAL = 1500; // ms

function render({ model }) {
  const view = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
  const say = (kind) => {
    try {
      model.send({ view, kind });
    } catch {
      // The kernel is gone, so the message has no receiver.
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
