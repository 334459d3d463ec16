"""What of a page's outputs covers something else, or is cut off.

Compares boxes and not pixels: another font or theme moves boxes, and changes nothing here. Texts
that a figure paints have boxes, too: the figure is painted once more, and each text noted.
"""

from __future__ import annotations

from harness.notebook_page import NotebookPage

# Text as it is laid out, line by line, and what a person can use; also in Bokeh's shadow trees.
_FAULTS = """() => {
    const SLACK = 2;  // pixels: boxes of lines of text reach a bit beyond their ink
    const USED = 'button, select, input, textarea, .noUi-target, canvas.bk-legend';
    // What is meant to be above the rest.
    const ABOVE = '.xdplab-frames-latest, .xdplab-frames-table th';
    const boxes = [];
    const shown = (element) => {
        const style = getComputedStyle(element);
        return style.visibility === 'visible' && Number(style.opacity) > 0
            && element.getClientRects().length > 0;
    };
    const round = ({left, top, right, bottom}) => [left, top, right, bottom].map(Math.round);
    const add = (words, rect, owner, cut) => {
        if (rect.width > 1 && rect.height > 1) boxes.push({words, rect, owner, cut});
    };
    const within = (inner, outer) => {
        for (let node = inner; node; node = node.parentNode ?? node.host) {
            if (node === outer) return true;
        }
        return false;
    };
    // The part of an element that those around it let be seen.
    const seen = (element) => {
        const part = {left: -1e9, top: -1e9, right: 1e9, bottom: 1e9, scrolls: false};
        for (let node = element; node instanceof Element || node instanceof ShadowRoot;
                node = node.assignedSlot ?? node.parentNode ?? node.host) {
            if (!(node instanceof Element)) continue;
            const whole = node.matches('.jp-OutputArea-output');
            const style = getComputedStyle(node);
            if (style.overflowX === 'visible' && !whole) continue;
            if (style.textOverflow === 'ellipsis') part.scrolls = true;
            if (!whole && (['auto', 'scroll'].includes(style.overflowX)
                || ['auto', 'scroll'].includes(style.overflowY))) part.scrolls = true;
            const rect = node.getBoundingClientRect();
            part.left = Math.max(part.left, rect.left);
            part.right = Math.min(part.right, rect.right);
            part.top = Math.max(part.top, rect.top);
            part.bottom = Math.min(part.bottom, rect.bottom);
            if (whole) break;
        }
        return part;
    };
    const visit = (node) => {
        if (node.nodeType === Node.TEXT_NODE) {
            const element = node.parentElement ?? node.getRootNode().host;
            if (!node.textContent.trim() || !shown(element)
                || element.closest('option, style, script, select, button, title')) return;
            const range = document.createRange();
            range.selectNodeContents(node);
            const part = seen(element);
            for (const rect of range.getClientRects()) {
                const cut = !part.scrolls
                    && (rect.left < part.left - SLACK || rect.right > part.right + SLACK);
                if (part.scrolls && (rect.right > part.right || rect.left < part.left
                    || rect.top < part.top || rect.bottom > part.bottom)) continue;
                add(node.textContent.trim().slice(0, 40), rect, element, cut);
            }
            return;
        }
        if (node.nodeType === Node.ELEMENT_NODE) {
            if (node.matches(ABOVE)) return;
            if (!shown(node) && getComputedStyle(node).display !== 'contents') return;
            if (node.matches(USED)) {
                add(node.title || node.textContent.trim().slice(0, 40) || node.className,
                    node.getBoundingClientRect(), node, false);
                if (!node.matches('.noUi-target')) return;
            }
            if (node.matches('.noUi-target')) return;
        }
        if (node.shadowRoot) node.shadowRoot.childNodes.forEach(visit);
        node.childNodes.forEach(visit);
    };
    document.querySelectorAll('.jp-OutputArea-output').forEach(visit);
    const faults = boxes.filter(({cut}) => cut)
        .map(({words, rect}) => ['cut off', words, round(rect)]);
    boxes.forEach((one, place) => boxes.slice(place + 1).forEach((other) => {
        const [a, b] = [one.rect, other.rect];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > SLACK && high > SLACK && one.owner !== other.owner
            && !within(one.owner, other.owner) && !within(other.owner, one.owner)) {
            faults.push(['covers', one.words, round(a), other.words, round(b)]);
        }
    }));
    return {faults, boxes: boxes.length};
}"""


# The same of texts that figures paint, except tilted ones.
_PAINTED_FAULTS = """() => {
    const SLACK = 1;  // pixels; these are boxes of ink
    const context = CanvasRenderingContext2D.prototype;
    const kept = Object.fromEntries(
        ['fillText', 'clearRect', 'beginPath', 'rect', 'clip', 'save', 'restore'].map(
            (name) => [name, context[name]]));
    const texts = new Map();  // by canvas
    const clips = new WeakMap();  // by context: what is seen, outermost first, and the last path
    const state = (ctx) => {
        if (!clips.has(ctx)) clips.set(ctx, {path: null, seen: [], kept: []});
        return clips.get(ctx);
    };
    // The box of some pixels of a context in those of its canvas; none where they are tilted.
    const box = (ctx, left, top, right, bottom) => {
        const {a, b, c, d, e, f} = ctx.getTransform();
        if (Math.min(Math.abs(a), Math.abs(b)) > 1e-3) return undefined;
        const xs = [a * left + c * top + e, a * right + c * bottom + e];
        const ys = [b * left + d * top + f, b * right + d * bottom + f];
        return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    };
    const inside = (one, other) => [Math.max(one[0], other[0]), Math.max(one[1], other[1]),
        Math.min(one[2], other[2]), Math.min(one[3], other[3])];
    const wrap = (name, before) => {
        context[name] = function (...given) {
            before(this, ...given);
            return kept[name].apply(this, given);
        };
    };
    wrap('clearRect', (ctx) => texts.set(ctx.canvas, []));
    wrap('beginPath', (ctx) => { state(ctx).path = null; });
    wrap('rect', (ctx, x, y, w, h) => { state(ctx).path = box(ctx, x, y, x + w, y + h); });
    wrap('clip', (ctx) => { if (state(ctx).path) state(ctx).seen.push(state(ctx).path); });
    wrap('save', (ctx) => state(ctx).kept.push([...state(ctx).seen]));
    wrap('restore', (ctx) => { state(ctx).seen = state(ctx).kept.pop() ?? []; });
    wrap('fillText', (ctx, words, x, y) => {
        const ink = ctx.measureText(words);
        const place = box(ctx, x - ink.actualBoundingBoxLeft, y - ink.actualBoundingBoxAscent,
            x + ink.actualBoundingBoxRight, y + ink.actualBoundingBoxDescent);
        if (!place || !words.trim() || !ctx.canvas.isConnected || !texts.has(ctx.canvas)) return;
        const whole = [0, 0, ctx.canvas.width, ctx.canvas.height];
        const frame = state(ctx).seen.reduce(inside, whole);
        const seen = inside(place, frame);
        if (seen[2] - seen[0] < 1 || seen[3] - seen[1] < 1) return;
        const scale = ctx.canvas.width / ctx.canvas.getBoundingClientRect().width;
        // What a plot's frame cuts off moves out of it with time.
        const cut = place[0] < -SLACK * scale || place[2] > whole[2] + SLACK * scale;
        texts.get(ctx.canvas).push({words, seen: seen.map((edge) => edge / scale), cut});
    });
    const plots = (view) => view.frame && view.canvas_view ? [view]
        : (view.child_views ?? []).flatMap(plots);
    for (const plot of [...(window.Bokeh?.index ?? [])].flatMap(plots)) {
        plot.invalidate_painters();
        plot.repaint();
    }
    Object.assign(context, kept);
    const faults = [];
    let boxes = 0;
    for (const painted of texts.values()) {
        boxes += painted.length;
        painted.filter(({cut}) => cut).forEach(({words, seen}) =>
            faults.push(['cut off', words, seen.map(Math.round)]));
        painted.forEach((one, place) => painted.slice(place + 1).forEach((other) => {
            const [left, top, right, bottom] = inside(one.seen, other.seen);
            if (right - left > SLACK && bottom - top > SLACK) faults.push(['covers',
                one.words, one.seen.map(Math.round), other.words, other.seen.map(Math.round)]);
        }));
    }
    return {faults, boxes};
}"""


def faults(page: NotebookPage) -> list[list[object]]:
    """List what of the page's outputs covers something else, or is cut off at the side."""
    found = page.page.evaluate(_FAULTS)
    if not found["boxes"]:
        return [["the page shows nothing"]]
    faults: list[list[object]] = found["faults"] + page.page.evaluate(_PAINTED_FAULTS)["faults"]
    return faults
