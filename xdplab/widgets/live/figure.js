// The browser's half of figure.py. It stands below view.js and spare.js, in one module.

const PATIENCE = 3000; // ms
// A view confirms half of the messages that may be under way to it (figure.py), or each second.
const CONFIRM_MESSAGES = 5;
const CONFIRM_INTERVAL = 950; // ms

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
const PLATE = "plate";

// The background of the page behind an element.
function paperOf(el) {
  for (let up = el; up; up = up.parentElement) {
    const color = getComputedStyle(up).backgroundColor;
    if (color && !color.endsWith(", 0)")) return color;
  }
  return "white";
}

// Text and lines get the page's colour and font, so that a figure suits light and dark themes, and
// plates its background. The alpha of a line stays. A model may keep its own colour.
function dress(bokeh, ink, font, paper) {
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
      if (model.tags?.includes(PLATE)) model.background_fill_color = paper;
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

function render({ model, el }) {
  const figure = document.createElement("div");
  const complaint = document.createElement("div");
  el.append(figure, complaint);
  const places = new Map(); // of the plots of each grid, where it is wide
  let item, bokehJS, bokeh, views, ink;
  let isNarrow = false;
  let isEmbedding = false;

  const dressAnew = () => {
    if (!bokeh) return;
    const style = getComputedStyle(el);
    if (style.color && style.color !== ink) { // without a colour while it is off the page
      ink = style.color;
      dress(bokeh, ink, style.fontFamily, paperOf(el));
    }
  };

  const arrange = () => {
    const width = figure.clientWidth;
    if (!bokeh || !width || (width < NARROW) === isNarrow) return;
    isNarrow = width < NARROW;
    fold(bokeh, places, isNarrow);
  };

  // BokehJS draws only into an element of the page. JupyterLab takes cells out of sight off the page, so
  // a view may be made, or lose its place, while it is not there.
  const isShown = () => figure.getClientRects().length > 0;
  const embed = async () => {
    if (!bokehJS || isEmbedding || bokeh || !isShown()) return;
    isEmbedding = true;
    try {
      views = await bokehJS.embed.embed_item(item, figure);
    } catch (error) {
      const { documents } = bokehJS; // which keep what was made before the error
      const left = documents.findIndex(
        (each) => !each.views_manager && each.roots()[0]?.id === item.root_id,
      );
      if (left >= 0) documents.splice(left, 1);
      if (!error.message.includes("under <body>")) throw error; // and never again
      isEmbedding = false;
      return;
    }
    bokeh = [...views][0].model.document;
    ours.add(bokeh);
    if (!view.isOpen()) {
      remove();
      return;
    }
    dressAnew();
    arrange();
    view.ask("rows");
  };

  const tryAgain = () => {
    if (view.isOpen()) embed().catch(view.complain);
  };
  const resizes = new ResizeObserver(() => {
    arrange();
    tryAgain(); // as soon as it is on the page, and below where it then has no width of its own
  });

  const prepare = async () => {
    view.stopAsking();
    spare(bokehJS);
    await embed();
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
      if (bokehJS) await prepare();
      else view.ask("library");
    },
    async library(_message, buffers) {
      const { version } = item.doc;
      // Once per page, though each figure has a copy of this module.
      await ((window.xdplabBokehJS ??= {})[version] ??= load(buffers[0]));
      if (bokehJS) return;
      bokehJS = window.Bokeh[version] ?? window.Bokeh;
      await prepare();
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
      view.confirm(message.number, CONFIRM_MESSAGES, CONFIRM_INTERVAL);
    },
  };

  // The theme may change without any new rows.
  const view = openView({
    model, thing: "figure", answers, patience: PATIENCE, complaint,
    eachSecond() {
      dressAnew();
      tryAgain();
    },
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
