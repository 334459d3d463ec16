// Work that BokehJS 3.9 does at each paint and that figures here can do without. figure.js stands below this, in
// one module. Documents of others, which share BokehJS with ours, are left alone.

const TRACE = "trace"; // as in style/plots.py
const ours = (window.xdplabOurs ??= new WeakSet()); // documents; once per page, though each figure has a copy of this

// Gives a method or a getter of a class another meaning for those of its objects that `concerns` tells, once per
// page; nothing if BokehJS has no such one. `anew` gets the old one as its first argument.
function override(owner, name, concerns, anew) {
  const prototype = owner?.prototype;
  const old = prototype && Object.getOwnPropertyDescriptor(prototype, name);
  const kind = old?.get ? "get" : "value";
  if (!old?.[kind] || old[kind].isXdplabs) return;
  const before = old[kind];
  const replacement = function (...given) {
    return concerns(this) ? anew.call(this, before, ...given) : before.apply(this, given);
  };
  replacement.isXdplabs = true;
  Object.defineProperty(prototype, name, { ...old, [kind]: replacement });
}

const isOurModel = (model) => ours.has(model.document);
const isOurView = (view) => ours.has(view.model.document);
const isTrace = (view) => isOurView(view) && view.model.glyph.tags.includes(TRACE);

// A style sheet of every part of a plot is written at each paint, mostly unchanged, and each time the browser
// computes the styles of all parts anew: more than half of the drawing time.
function spareStyles(bokehJS) {
  const { InlineStyleSheet } = bokehJS.require("core/dom");
  override(InlineStyleSheet, "_update", () => true, function (before, css) {
    if (this.css !== css) before.call(this, css);
  });
  // The element of a glyph has no look, so it may be anywhere.
  const { GlyphRendererView } = bokehJS.require("models/renderers/glyph_renderer");
  const { RendererView } = bokehJS.require("models/renderers/renderer");
  const isGlyph = (view) => view instanceof GlyphRendererView && isOurView(view);
  override(RendererView, "update_position", isGlyph, () => {});
}

// For each property of each glyph BokehJS looks whether all columns of the source have one length, for each colour
// of a text or a line whether a style sheet has another, and for each text how large the plot's font is, which
// computes the styles anew. In our figures columns have one length, colours are the models', and a plot keeps its
// font.
function spareLookUps(bokehJS) {
  const { ColumnarDataSource } = bokehJS.require("models/sources/columnar_data_source");
  override(ColumnarDataSource, "get_length", isOurModel, function (before, soft) {
    const columns = this.data;
    if (!(columns instanceof Map)) {
      for (const name in columns) return columns[name].length;
    }
    return before.call(this, soft);
  });
  const { VisualProperties } = bokehJS.require("core/visuals/visual");
  override(VisualProperties, "_get_css_value", (visual) => isOurView(visual.obj), () => "");
  const sizes = new WeakMap();
  const { PlotView } = bokehJS.require("models/plots/plot_canvas");
  override(PlotView, "base_font_size", isOurView, function (before) {
    if (!sizes.has(this)) sizes.set(this, before.call(this));
    return sizes.get(this);
  });
}

// Least and most of the finite numbers among columns.
function boundsOf(columns, least = -Infinity) {
  let [low, high] = [Infinity, -Infinity];
  for (const column of columns) {
    for (let row = 0; row < column.length; row++) {
      const number = column[row];
      if (number < low && number > least) low = number;
      if (number > high && number < Infinity) high = number;
    }
  }
  return [low, high];
}

// Adds a line to the path of a context, moved by so much. Points amid a level stretch are left out.
function addLine(ctx, xs, ys, moved) {
  let isBroken = true;
  for (let row = 0; row < ys.length; row++) {
    const [x, y] = [xs[row] + moved, ys[row] + moved];
    if (!Number.isFinite(y)) isBroken = true;
    else if (isBroken) {
      ctx.moveTo(x, y);
      isBroken = false;
    } else if (ys[row] !== ys[row - 1] || ys[row] !== ys[row + 1]) ctx.lineTo(x, y);
  }
}

// Paints a line. A wide one is several lines of a pixel side by side, since without a GPU these take a browser a
// tenth of the time: they have no outline to be filled.
function paintLine(ctx, xs, ys, line) {
  if (!line.doit) return;
  line.set_value(ctx);
  const pixel = 1 / devicePixelRatio;
  const count = Math.max(Math.ceil(ctx.lineWidth / pixel - 0.05), 1);
  const distance = count > 1 ? (ctx.lineWidth - pixel) / (count - 1) : 0;
  ctx.lineWidth = pixel;
  ctx.beginPath();
  for (let at = 0; at < count; at++) addLine(ctx, xs, ys, (at - (count - 1) / 2) * distance);
  ctx.stroke();
}

// Paints the area between two lines as columns of whole pixels, which have no slopes to be smoothed.
function paintArea(ctx, xs, lows, highs, fill) {
  if (!fill.doit) return;
  fill.set_value(ctx);
  const pixel = 1 / devicePixelRatio;
  const whole = (place) => Math.round(place / pixel) * pixel - 0.5; // BokehJS moves all by half a pixel
  for (let row = 1; row < xs.length; row++) {
    if (lows[row] === highs[row]) continue;
    const [left, top] = [whole(xs[row - 1]), whole(highs[row])];
    ctx.fillRect(left, top, whole(xs[row]) - left, whole(lows[row]) - top);
  }
}

// Traces are lines and areas over columns of increasing x that are only ever painted as they are. For each glyph
// BokehJS keeps five, for selected and muted ones and so on, each with its own coordinates and an index of all
// points in space, and makes all that anew when rows come: more than half of the scripts' time.
function spareTraces(bokehJS) {
  const { GlyphRendererView } = bokehJS.require("models/renderers/glyph_renderer");
  const { DataRendererView } = bokehJS.require("models/renderers/data_renderer");
  const { RendererView } = bokehJS.require("models/renderers/renderer");
  const columnsOf = ({ model }, ...properties) =>
    properties.map((name) => model.data_source.data[model.glyph[name].field]);
  const heightsOf = (view) =>
    "y" in view.model.glyph ? columnsOf(view, "y") : columnsOf(view, "y1", "y2");
  const rectangle = (view, least) => {
    const [[x0, x1], [y0, y1]] = [boundsOf(columnsOf(view, "x")), boundsOf(heightsOf(view), least)];
    return { x0, x1, y0, y1 };
  };
  // All or nothing: what is no longer made for one must not be missed by another.
  const parts = [
    [DataRendererView, "bounds"], [DataRendererView, "log_bounds"],
    [GlyphRendererView, "set_data"], [RendererView, "paint"],
  ];
  if (!parts.every(([owner, name]) => Object.hasOwn(owner?.prototype ?? {}, name))) return;
  const isTraceView = (view) => view instanceof GlyphRendererView && isTrace(view);
  override(DataRendererView, "bounds", isTraceView, function () {
    return rectangle(this);
  });
  override(DataRendererView, "log_bounds", isTraceView, function () {
    return rectangle(this, 0);
  });
  override(GlyphRendererView, "set_data", isTrace, async function () {
    this.plot_view.invalidate_dataranges = true;
  });
  const hadRows = new WeakSet();
  const isGlyph = (view) => view instanceof GlyphRendererView && isOurView(view);
  override(RendererView, "paint", isGlyph, function (before, ctx) {
    if (!isTrace(this)) {
      if (this.model.data_source.get_length() > 0) hadRows.add(this);
      if (hadRows.has(this)) before.call(this, ctx); // also without rows then: none may be hit by a mouse
      else this.mark_finished();
      return;
    }
    const { x_scale, y_scale } = this.coordinates;
    const xs = x_scale.v_compute(columnsOf(this, "x")[0]);
    const heights = heightsOf(this).map((column) => y_scale.v_compute(column));
    const { line, fill } = this.glyph.visuals;
    if (line) paintLine(ctx, xs, ...heights, line);
    else paintArea(ctx, xs, ...heights, fill);
    this.mark_finished();
  });
}

// How much room the labels of an axis take is computed again and again, with the width of each text, at each paint.
function spareAxes(bokehJS) {
  const { AxisView } = bokehJS.require("models/axes/axis");
  const known = new WeakMap(); // by view: what was found, and for which range
  override(AxisView, "extents", isOurView, function (before) {
    const [{ start, end }] = this.ranges;
    let last = known.get(this);
    if (!last) {
      last = {};
      known.set(this, last);
      for (const { change } of [this.model, this.model.ticker, this.model.formatter]) {
        this.connect(change, () => {
          last.extents = undefined;
        });
      }
    }
    if (!last.extents || last.start !== start || last.end !== end) {
      Object.assign(last, { start, end, extents: before.call(this) });
    }
    return last.extents;
  });
}

// The samples of a legend are painted again at each paint of its plot.
function spareLegends(bokehJS) {
  const { LegendView } = bokehJS.require("models/annotations/legend");
  const painted = new WeakMap(); // from a list of samples to the resolution that they were painted for
  override(LegendView, "_paint_glyphs", isOurView, function (before) {
    if (painted.get(this.entries) === devicePixelRatio) return;
    painted.set(this.entries, devicePixelRatio);
    before.call(this);
  });
}

function spare(bokehJS) {
  spareStyles(bokehJS);
  spareLookUps(bokehJS);
  spareTraces(bokehJS);
  spareAxes(bokehJS);
  spareLegends(bokehJS);
}

