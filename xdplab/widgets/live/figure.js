// The browser's half of figure.py.

const PATIENCE = 3000; // ms
const CONFIRM_INTERVAL = 450; // least ms from one confirmation to the next

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
const KEEP_INK = "keep-ink"; // as in style/palette.py

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

const FOLDS = "folds"; // as in style/plots.py
const NARROW = 700; // px of width below which a grid with that tag has one plot a row

// Puts the plots of such grids below each other, or back to their places.
function fold(bokeh, places, isNarrow) {
  for (const root of bokeh.roots()) {
    for (const model of root.references()) {
      if (!model.tags?.includes(FOLDS)) continue;
      if (!places.has(model.id)) places.set(model.id, model.children);
      const wide = places.get(model.id);
      model.children = isNarrow ? wide.map(([plot], row) => [plot, row, 0]) : wide;
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
  const figure = document.createElement("div");
  const complaint = document.createElement("div");
  el.append(figure, complaint);
  const places = new Map(); // of the plots of each grid, where it is wide
  let item, bokehJS, bokeh, views, ink;
  let isNarrow = false;

  const dressAnew = () => {
    if (!bokeh) return;
    const style = getComputedStyle(el);
    if (style.color !== ink) {
      ink = style.color;
      dress(bokeh, ink, style.fontFamily);
    }
  };

  const arrange = () => {
    const width = figure.clientWidth;
    if (!bokeh || !width || (width < NARROW) === isNarrow) return;
    isNarrow = width < NARROW;
    fold(bokeh, places, isNarrow);
  };
  const resizes = new ResizeObserver(arrange);

  const embed = async () => {
    view.stopAsking();
    sparePaints(bokehJS);
    views = await bokehJS.embed.embed_item(item, figure);
    bokeh = [...views][0].model.document;
    if (!view.isOpen()) {
      remove();
      return;
    }
    dressAnew();
    arrange();
    view.ask("rows");
  };

  const remove = () => {
    views?.clear();
    const index = bokehJS?.documents.indexOf(bokeh) ?? -1;
    if (index >= 0) bokehJS.documents.splice(index, 1);
  };

  const answers = {
    async figure(_message, buffers) {
      if (item) return;
      item = JSON.parse(new TextDecoder().decode(buffers[0]));
      // The page may have another version, of another notebook's kernel; both can be used together.
      bokehJS = window.Bokeh?.[item.doc.version];
      if (bokehJS) await embed();
      else view.ask("library");
    },
    async library(_message, buffers) {
      const { version } = item.doc;
      // Once per page, though each figure has a copy of this module.
      await ((window.xdplabBokehJS ??= {})[version] ??= load(buffers[0]));
      if (bokehJS) return;
      bokehJS = window.Bokeh[version] ?? window.Bokeh;
      await embed();
    },
    rows(message, buffers) {
      if (!bokeh) return;
      for (const [id, properties] of Object.entries(message.properties)) {
        bokeh.get_model_by_id(id).setv(properties);
      }
      const buffer = buffers.values(); // shared by all views of the page: do not modify
      for (const { id, replace, numbers, texts } of message.sources) {
        const columns = { ...texts };
        const all = numbers.length ? floats(buffer.next().value) : [];
        const count = all.length / numbers.length;
        numbers.forEach((name, place) => {
          columns[name] = all.subarray(place * count, (place + 1) * count);
        });
        const source = bokeh.get_model_by_id(id);
        if (replace) source.data = columns;
        else source.stream(columns, message.rollover);
      }
      dressAnew();
      el.classList.add("xdplab-live"); // for style.css
      view.confirm(message.number, CONFIRM_INTERVAL);
    },
  };

  // The theme may change without any new rows.
  const view = openView({
    model, thing: "figure", answers, patience: PATIENCE, complaint, eachSecond: dressAnew,
  });
  view.ask("figure");
  resizes.observe(figure);
  return () => {
    resizes.disconnect();
    view.close();
    remove();
  };
}

export default { render };
