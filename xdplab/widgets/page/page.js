// The browser's half of a page: shows what the server tells, as messages.py documents.

const main = document.querySelector("main");
const about = document.querySelector("#about");
const AGAIN = 2000; // ms until it connects anew

const texts = new Map(); // elements, by the widget's id
const models = new Map();
let removes = []; // functions that end the views
let socket;

// What a view's module (live/view.js) has of a model of ipywidgets.
function modelOf(id, error) {
  const heard = { "msg:custom": new Set(), "change:error": new Set() };
  const views = new Set(); // their names, which the server's messages leave out
  const model = {
    tell(name, ...said) {
      for (const listener of heard[name]) listener(...said);
    },
    hear: (content, buffers) => model.tell("msg:custom", { ...content, views: [...views] }, buffers),
    fail(reason) {
      error = reason;
      model.tell("change:error");
    },
    get: () => error,
    on: (name, listener) => heard[name]?.add(listener),
    off: (name, listener) => heard[name]?.delete(listener),
    send(content) {
      views.add(content.view);
      if (content.kind === "bye") views.delete(content.view);
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ model: id, content }));
    },
  };
  return model;
}

function elementOf(node) {
  const el = document.createElement("div");
  el.className = `xdplab-page-${node.kind}`;
  for (const [name, value] of Object.entries(node.style)) {
    el.style.setProperty(name.replaceAll("_", "-"), value);
  }
  if (node.kind === "text") {
    el.innerHTML = node.text;
    texts.set(node.id, el);
  }
  el.append(...node.children.map(elementOf));
  if (node.kind === "live") {
    const model = modelOf(node.id, node.error);
    models.set(node.id, model);
    import(`./${node.text}`).then(({ default: { render } }) => {
      if (models.get(node.id) === model) removes.push(render({ model, el }));
    });
  }
  return el;
}

const answers = {
  page({ title, nodes }) {
    for (const remove of removes) remove();
    removes = [];
    texts.clear();
    models.clear();
    document.title = title;
    document.querySelector("h1").textContent = title;
    main.replaceChildren(...nodes.map(elementOf));
  },
  text({ id, text }) {
    const el = texts.get(id);
    if (el) el.innerHTML = text;
  },
  error({ id, text }) {
    models.get(id)?.fail(text);
  },
  readers({ count }) {
    about.textContent = count === 1 ? "read by you" : `read by ${count} browsers`;
  },
};

// messages.packed tells the layout.
function hearWidget(data) {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  let begin = 4 + length;
  const buffers = header.lengths.map((size) => {
    begin += size;
    return new DataView(data, begin - size, size);
  });
  models.get(header.model)?.hear(header.content, buffers);
}

function connect() {
  const url = new URL("live", location);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      hearWidget(data);
      return;
    }
    const message = JSON.parse(data);
    answers[message.kind](message);
  };
  socket.onclose = () => {
    about.textContent = "The page's server does not answer; what stands here is the last that came.";
    setTimeout(connect, AGAIN);
  };
}

connect();
