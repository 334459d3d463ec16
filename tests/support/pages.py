"""What looks at pages in a browser: the types of the fixtures, and scripts."""

from __future__ import annotations

from collections.abc import Callable

from harness.notebook_page import NotebookPage

OpenNotebook = Callable[..., NotebookPage]
Picture = Callable[..., None]
Look = Callable[..., None]

# The figures have the ink of the page's theme.
SUITS_THE_THEME = """() => {
    const live = document.querySelector('.xdplab-live');
    const ink = live && getComputedStyle(live).color;
    const dressed = ({properties, tags, major_label_text_color: color}) =>
        !properties?.major_label_text_color || color === null || tags?.includes('keep-ink')
        || color === ink;
    return (window.Bokeh?.documents ?? []).flatMap((document) => document.roots()).every(
        (root) => [...root.references()].every(dressed));
}"""

# How many pixels of a canvas are not see-through.
DRAWN = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return data.filter((value, place) => place % 4 === 3 && value > 0).length;
}"""
