// The browser's half of figure.py, which documents the messages.

// ms after which a view repeats a request, doubled each time, since connections can be slow.
const FIRST_PATIENCE = 3000;
const LONGEST_PATIENCE = 24000;
const ANSWER_INTERVAL = 450; // least ms from one answer to the next

async function load(gzipped) {
  const text = new Blob([gzipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.src = URL.createObjectURL(
    new Blob([await new Response(text).arrayBuffer()], { type: "text/javascript" }),
  );
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("the browser refused to run BokehJS"));
    document.head.append(script);
  });
  URL.revokeObjectURL(script.src);
}

// A buffer of a message need not begin at a multiple of 8 bytes, as a Float64Array must.
function floats(buffer) {
  const end = buffer.byteOffset + buffer.byteLength;
  return new Float64Array(buffer.buffer.slice(buffer.byteOffset, end));
}

const INKED = [
  "axis_label_text", "axis_line", "grid_line", "label_text", "major_label_text", "major_tick_line",
  "minor_tick_line", "text",
];
const KEEP_INK = "keep-ink"; // as in palette.py

// Text and lines get the page's colour and font, so that a figure suits light and dark themes. The
// alpha of a line stays. A model may keep its own colour.
function dress(bokeh, ink, font) {
  for (const root of bokeh.roots()) {
    for (const model of root.references()) {
      for (const name of INKED) {
        const color = model.properties?.[`${name}_color`];
        if (color && model[`${name}_color`] !== null && !model.tags?.includes(KEEP_INK)) {
          model[`${name}_color`] = ink;
        }
        if (model.properties?.[`${name}_font`]) {
          model[`${name}_font`] = font;
        }
      }
    }
  }
}

// BokehJS 3.9 writes the style sheet of every part of a plot at each paint, mostly unchanged, and
// each time the browser recomputes the styles of all parts: more than half of the drawing time.
function sparePaints(bokehJS) {
  const sheets = bokehJS.require("core/dom").InlineStyleSheet?.prototype;
  if (!sheets?._update || sheets.xdplabSpares) return;
  const write = sheets._update;
  sheets.xdplabSpares = true;
  sheets._update = function (css) {
    if (this.css !== css) write.call(this, css);
  };
}

function render({ model, el }) {
  const view = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
  const figure = document.createElement("div");
  const complaint = document.createElement("div");
  complaint.style.cssText = "color: var(--jp-error-color1, #d32f2f); padding: 4px 0";
  el.append(figure, complaint);

  let wanted = "figure";
  let heard = 0;
  let patience = FIRST_PATIENCE;
  let answered = -Infinity;
  let disposed = false;
  let item, bokehJS, bokeh, views, ink;

  const say = (message) => {
    try {
      model.send({ view, ...message });
    } catch {
      // The kernel is gone, so the message has no receiver.
    }
  };
  const ask = () => {
    heard = performance.now();
    answered = -Infinity; // so that the reply is answered at once: the kernel sends no more before
    say({ kind: wanted });
  };
  const complain = (reason) => {
    complaint.textContent = reason ? `This figure stands still: ${reason}` : "";
  };

  const dressAnew = () => {
    const style = getComputedStyle(el);
    if (style.color !== ink) {
      ink = style.color;
      dress(bokeh, ink, style.fontFamily);
    }
  };

  const embed = async () => {
    wanted = "embedding";
    sparePaints(bokehJS);
    views = await bokehJS.embed.embed_item(item, figure);
    bokeh = [...views][0].model.document;
    if (disposed) {
      remove();
      return;
    }
    dressAnew();
    wanted = "rows";
    ask();
  };

  const remove = () => {
    views?.clear();
    const index = bokehJS?.documents.indexOf(bokeh) ?? -1;
    if (index >= 0) bokehJS.documents.splice(index, 1);
  };

  const answers = {
    async figure(message, buffers) {
      if (item) return;
      const text = new TextDecoder().decode(buffers[0]);
      item = JSON.parse(text);
      // The page may have another version, of another notebook's kernel; both can be used together.
      bokehJS = window.Bokeh?.[item.doc.version];
      if (bokehJS) {
        await embed();
      } else {
        wanted = "library";
        ask();
      }
    },
    async library(_message, buffers) {
      const { version } = item.doc;
      // Once per page, though each figure has a copy of this module.
      await ((window.xdplabBokehJS ??= {})[version] ??= load(buffers[0]));
      if (wanted !== "library") return;
      bokehJS = window.Bokeh[version] ?? window.Bokeh;
      await embed();
    },
    rows(message, buffers) {
      if (!bokeh) return;
      for (const [id, properties] of Object.entries(message.properties)) {
        bokeh.get_model_by_id(id).setv(properties);
      }
      const column = buffers.values(); // shared by all views of the page: do not modify
      for (const { id, replace, numbers, texts } of message.sources) {
        const columns = { ...texts };
        for (const name of numbers) columns[name] = floats(column.next().value);
        const source = bokeh.get_model_by_id(id);
        if (replace) source.data = columns;
        else source.stream(columns, message.rollover);
      }
      dressAnew();
      el.classList.add("xdplab-live"); // for picture.css
      // Answers after the browser has drawn: so a slow browser or a hidden page gets no more rows.
      requestAnimationFrame(() => {
        const now = performance.now();
        if (disposed || now - answered < ANSWER_INTERVAL) return;
        answered = now;
        say({ kind: "got", number: message.number });
      });
    },
  };

  const receive = async (message, buffers) => {
    if (!message.views?.includes(view)) return;
    heard = performance.now();
    patience = FIRST_PATIENCE;
    try {
      await answers[message.kind](message, buffers);
    } catch (error) {
      complain(error);
      throw error;
    }
  };
  const onError = () => complain(model.get("error"));

  model.on("msg:custom", receive);
  model.on("change:error", onError);
  onError();
  ask();
  const timer = setInterval(() => {
    if (bokeh) dressAnew(); // the theme may change without any new rows
    const waits = wanted !== "embedding" && !model.get("error") && !document.hidden;
    if (waits && performance.now() - heard > patience) {
      patience = Math.min(2 * patience, LONGEST_PATIENCE);
      ask();
    }
  }, 1000);

  return () => {
    disposed = true;
    clearInterval(timer);
    model.off("msg:custom", receive);
    model.off("change:error", onError);
    remove();
    say({ kind: "bye" });
  };
}

export default { render };
