// The browser's half of table.py.

const PATIENCE = 6000; // ms; a heartbeat comes every 3 s, so silence means a lost message
const HEARING = 2000; // ms until the kernel has received it
const AT_THE_END = 8; // pixels
const BYTES_A_LINE = 16;

const COLUMNS = [
  ["time", "Time"], ["queue", "Queue"], ["verdict", "Verdict"], ["source", "Source"],
  ["destination", "Destination"], ["protocol", "Protocol"], ["length", "Length"],
  ["summary", "Summary"],
];

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = `xdplab-frames-${className}`;
  if (text !== undefined) element.textContent = text;
  return element;
}

function hex(number, digits) {
  return number.toString(16).padStart(digits, "0");
}

function count(number, thing) {
  return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

function sampling(every) {
  if (every > 1) return `1 in ${every.toLocaleString("en")} is sampled`;
  return every ? "every one is sampled" : "none is sampled";
}

// One dissected frame: its layers as a tree that folds, beside its bytes.
function detailsPane(onClose) {
  const pane = make("div", "details");
  const folded = new Set();
  pane.hidden = true;

  const hexDump = (bytes) => {
    const dump = make("div", "bytes");
    const cells = [];
    for (let start = 0; start < bytes.length; start += BYTES_A_LINE) {
      const line = [...bytes.subarray(start, start + BYTES_A_LINE)];
      const numbers = line.map((byte) => make("span", "", hex(byte, 2)));
      const letters = line.map((byte) =>
        make("span", "", byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·"),
      );
      dump.append(make("span", "offset", `${hex(start, 4)}  `));
      numbers.forEach((cell, index) => dump.append(cell, index === 7 ? "  " : " "));
      dump.append(" ".repeat(3 * (BYTES_A_LINE - line.length) + (line.length < 8 ? 1 : 0) + 1));
      dump.append(...letters, "\n");
      numbers.forEach((cell, index) => cells.push([cell, letters[index]]));
    }
    return [dump, cells];
  };

  const layerTree = (layers, light) => {
    const tree = make("div", "layers");
    for (const layer of layers) {
      const branch = make("details");
      const title = make("summary", "layer", layer.name);
      title.append(make("span", "faint", ` ${count(layer.end - layer.start, "byte")}`));
      const table = make("table");
      for (const [name, value] of layer.fields) {
        const row = table.insertRow();
        row.append(make("th", "", name), make("td", "", value));
      }
      branch.open = !folded.has(layer.name);
      title.addEventListener("click", () => light(layer, title));
      branch.addEventListener("toggle", () => {
        if (branch.open) folded.delete(layer.name);
        else folded.add(layer.name);
      });
      branch.append(title, table);
      tree.append(branch);
    }
    return tree;
  };

  const show = (row, { layers, about }, bytes) => {
    const head = make("div", "head");
    head.append(make("b", "", `Frame of ${row.time}`));
    const rest = row.length - bytes.length;
    const size = count(row.length, "byte");
    const kept = rest > 0 ? `the first ${bytes.length} of ${size}` : size;
    head.append(make("span", "about", `${kept} · ${about}`));
    const close = make("button", "button", "✕");
    close.title = "Close";
    close.addEventListener("click", onClose);
    head.append(close);

    const [dump, cells] = hexDump(bytes);
    let lit = [];
    const light = (layer, title) => {
      for (const element of lit) element.classList.remove("xdplab-frames-lit");
      lit = [title, ...cells.slice(layer.start, layer.end).flat()];
      for (const element of lit) element.classList.add("xdplab-frames-lit");
    };
    const body = make("div", "body");
    body.append(layerTree(layers, light), dump);
    pane.replaceChildren(head, body);
    pane.hidden = false;
  };
  return { pane, show };
}

function render({ model, el }) {
  const root = make("div", "root");
  // JupyterLab must not handle keys pressed in here.
  root.dataset.lmSuppressShortcuts = "true";
  const bar = make("div", "bar");
  const filter = make("input", "filter");
  filter.type = "search";
  filter.spellcheck = false;
  filter.setAttribute("aria-label", "Filter");
  const pause = make("button", "button", "Pause");
  const tally = make("span", "faint");
  const refused = make("div", "refused");
  refused.id = `xdplab-frames-refused-${Math.random().toString(36).slice(2)}`;
  refused.setAttribute("role", "alert");
  filter.setAttribute("aria-describedby", refused.id);
  bar.append(filter, pause, tally);
  const scroller = make("div", "scroller");
  scroller.tabIndex = 0;
  const table = make("table", "table");
  const head = table.createTHead().insertRow();
  for (const [name, title] of COLUMNS) head.append(make("th", name, title));
  const body = table.createTBody();
  const hint = make("div", "hint", "Waiting for the kernel …");
  scroller.append(table, hint);
  const latest = make("button", "latest", "↓ newest");
  latest.hidden = true;
  const frame = make("div", "frame");
  frame.append(scroller, latest);
  const complaint = make("div");

  const rows = new Map(); // the rows shown, by number, oldest first
  let state = { paused: false, filter: "" };
  let chosen; // the row that was clicked
  let follows = true;
  let typing = false;
  let sent;

  const details = detailsPane(() => choose(undefined));
  root.append(bar, refused, frame, details.pane, complaint);
  el.append(root);

  const choose = (entry) => {
    chosen?.element.classList.remove("xdplab-frames-chosen");
    chosen = entry;
    if (!entry) {
      details.pane.hidden = true;
      return;
    }
    entry.element.classList.add("xdplab-frames-chosen");
    entry.element.scrollIntoView({ block: "nearest" });
    view.say({ kind: "frame", number: entry.row.number });
  };

  const rowElement = (row, colors) => {
    const element = make("tr");
    for (const [name] of COLUMNS) {
      const cell = make("td", name, row[name]);
      cell.title = row[name];
      if (name === "protocol" && row.protocol) {
        const dot = make("span", "dot");
        dot.style.background = colors[row.protocol] ?? "#808080";
        cell.prepend(dot);
      }
      if (name === "length" && row.captured < row.length) {
        element.classList.add("xdplab-frames-truncated");
        cell.title = `${row.captured} of ${row.length} bytes were kept`;
      }
      element.append(cell);
    }
    element.addEventListener("click", () => choose(rows.get(row.number)));
    return element;
  };

  const followOn = () => {
    follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_THE_END;
    latest.hidden = follows;
  };

  const drawRows = (message) => {
    const before = scroller.scrollHeight;
    for (const [number, { element }] of rows) {
      if (!message.replace && number >= message.state.first) break;
      element.remove();
      rows.delete(number);
    }
    // The visible rows keep their place.
    if (!follows) scroller.scrollTop -= before - scroller.scrollHeight;
    for (const row of message.rows) {
      const element = rowElement(row, message.colors);
      rows.set(row.number, { row, element });
      body.append(element);
    }
    const again = chosen && rows.get(chosen.row.number);
    if (again && again !== chosen) {
      chosen = again;
      again.element.classList.add("xdplab-frames-chosen");
    }
    if (follows) scroller.scrollTop = scroller.scrollHeight;
    followOn();
  };

  // The filter of another view or of Python, unless the user types here or it is not sent yet.
  const showFilter = () => {
    if (typing) return;
    if (sent && sent.text !== state.filter && performance.now() - sent.at < HEARING) return;
    sent = undefined;
    if (filter.value !== state.filter) filter.value = state.filter;
  };

  const drawState = (message) => {
    state = message.state;
    const { kept, passing, passed_over: over, sample_every: every } = state;
    const examples = message.examples.join(", ");
    filter.placeholder = `Filter, as for tcpdump: ${examples}`;
    filter.title = `${examples}; Enter applies it`;
    showFilter();
    if (refused.textContent !== state.refused) refused.textContent = state.refused;
    filter.setAttribute("aria-invalid", state.refused !== "");
    pause.textContent = state.paused ? "Resume" : "Pause";
    pause.classList.toggle("xdplab-frames-on", state.paused);
    const words = [state.filter ? `${passing} of ${count(kept, "frame")}` : count(kept, "frame")];
    words.push(sampling(every));
    if (over) words.push(`${over.toLocaleString("en")} more came than are shown`);
    tally.textContent = words.join(" · ");
    hint.hidden = passing > 0;
    const help = state.are_payloads
      ? "This path samples payloads without headers: only queue: and verdict: pass those."
      : `Its syntax is tcpdump's: ${examples}.`;
    const newest = over ? ` It looks at the newest ${kept} only.` : "";
    if (kept) hint.textContent = `No frame passes the filter.${newest} ${help}`;
    else if (!every) hint.textContent = "No frame is sampled: set sample_every to 1 or more.";
    else hint.textContent = "No frame was sampled yet.";
  };

  const answers = {
    rows(message) {
      view.complain();
      drawState(message);
      drawRows(message);
      el.classList.add("xdplab-live"); // for style.css
      view.confirm(message.number);
    },
    frame(message, buffers) {
      if (message.row !== chosen?.row.number) return;
      const { buffer, byteOffset, byteLength } = buffers[0];
      details.show(chosen.row, message, new Uint8Array(buffer, byteOffset, byteLength));
    },
    gone(message) {
      if (message.row === chosen?.row.number) choose(undefined);
    },
  };

  const view = openView({ model, thing: "table", answers, patience: PATIENCE, complaint });
  // Not at each key: half an expression is none, and a host's name in it is looked up.
  const apply = () => {
    typing = false;
    if (filter.value === (sent?.text ?? state.filter)) return;
    sent = { text: filter.value, at: performance.now() };
    view.say({ kind: "filter", text: filter.value });
  };
  filter.addEventListener("input", () => {
    typing = true;
    if (!filter.value) apply(); // cleared
  });
  filter.addEventListener("keydown", ({ key }) => key === "Enter" && apply());
  filter.addEventListener("blur", apply);
  pause.addEventListener("click", () => view.say({ kind: "pause", paused: !state.paused }));
  scroller.addEventListener("scroll", followOn);
  latest.addEventListener("click", () => {
    scroller.scrollTop = scroller.scrollHeight;
  });
  scroller.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !rows.size) return;
    event.preventDefault();
    const entries = [...rows.values()];
    const place = entries.findIndex((entry) => entry === chosen);
    const next = place < 0 ? entries.length - 1 : place + step;
    choose(entries[Math.max(0, Math.min(entries.length - 1, next))]);
  });

  view.ask("rows");
  return () => view.close();
}

export default { render };
