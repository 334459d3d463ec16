// The browser's half of presence.py: reports again and again that the view exists.

const INTERVAL = 1500; // ms

function render({ model, el }) {
  const complaint = document.createElement("div");
  el.append(complaint);
  const view = openView({ model, thing: "widget", answers: {}, patience: Infinity, complaint });
  view.ask("here");
  const timer = setInterval(() => view.ask("here"), INTERVAL);
  return () => {
    clearInterval(timer);
    view.close();
  };
}

export default { render };
