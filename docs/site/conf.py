"""Makes the site of documentation: `make docs`. Its sources are the pages of the source tree.

So a link between two pages is the same on the site and where the code is hosted.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from inspect import signature
from pathlib import Path
from typing import Any

from bokeh.settings import settings
from ipywidgets import Widget
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

import xdplab
from xdplab import Lab
from xdplab.widgets import LiveFigure

SOURCE = Path(__file__).parents[2]
project = "xdplab"
author = "the authors of xdplab"
version = release = xdplab.__version__

root_doc = "docs/index"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = [".*", "**/.*", "build", "course"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# The C of docs/programs.md is for clang and of the lessons for %%xdp: no lexer knows all of it.
suppress_warnings = ["misc.highlighting_failure"]

# The lessons run when the site is built: on the kernel where this user may, else on the soft NIC,
# which marks each figure; a lesson that takes a kernel is then shown without results.
# XDPLAB_LESSONS="01*" runs those lessons alone.


def _needs_kernel(lesson: Path) -> bool:
    needs = json.loads(lesson.read_text())["metadata"].get("xdplab", {})
    return bool(needs.get("needs") == "kernel")


def _not_run() -> list[str]:
    lessons = set((SOURCE / "notebooks").glob("*.ipynb"))
    asked = os.environ.get("XDPLAB_LESSONS", "*")
    run = {lesson for lesson in lessons if fnmatch(lesson.name, asked)}
    with Lab() as lab:
        if lab.simulated:
            run = {lesson for lesson in run if not _needs_kernel(lesson)}
    return [f"notebooks/{lesson.name}" for lesson in sorted(lessons - run)]


nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_excludepatterns = _not_run()
nb_execution_raise_on_error = True
nb_execution_timeout = 300
# Widgets live by a kernel. What each leaves beside itself is shown: its figures, with the rows that
# they had last, or its table.
os.environ["PYTHONSTARTUP"] = str(SOURCE / "docs/site/interactive.py")
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

default_role = "code"  # in docstrings, as in Markdown
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    # All that ours have from others of ours, and nothing of these.
    "inherited-members": ",".join(
        (
            *("XdplabError", "BaseException", "Exception", "OSError", "tuple", "dict", "Mapping"),
            *("MutableMapping", "HasTraits", "Widget", "DOMWidget", "AnyWidget", "Box", "VBox"),
        )
    ),
}
autodoc_typehints = "none"  # the docstrings say what a parameter is
numpydoc_show_class_members = False  # autodoc does
nitpicky = True

html_theme = "sphinx_book_theme"
html_title = "xdplab"
# BokehJS stands beside the pages once, and those with figures load it.
html_static_path = ["static", str(settings.bokehjs_path() / "js" / "bokeh.min.js")]
html_css_files = ["site.css"]
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the sidebar has the search
}
html_copy_source = False
html_context = {
    "default_mode": "auto",  # light or dark, as the browser has it
    # For static/figures.js.jinja, where the widget's module is the body of a function.
    "live_figure": LiveFigure._esm.replace("export default", "return"),
}


def setup(app: Sphinx) -> None:
    """Connect what this site does beside Sphinx."""
    app.connect("build-finished", _begin_at_the_root)
    app.connect("html-page-context", _draw_figures)
    app.connect("autodoc-process-signature", _signature_of_widgets)


def _begin_at_the_root(app: Sphinx, error: Exception | None) -> None:
    """Lead from the site's folder to its first page."""
    if error is None:
        Path(app.outdir, "index.html").write_text(
            '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html">'
            '<title>xdplab</title><a href="docs/index.html">xdplab</a>\n'
        )


def _draw_figures(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Load what draws figures where a page has any."""
    if 'class="xdplab-figure"' in context.get("body", ""):
        app.add_js_file("bokeh.min.js", loading_method="defer")
        app.add_js_file("figures.js", loading_method="defer")


def _signature_of_widgets(
    _app: Sphinx, what: str, _name: str, documented: Any, *_others: object
) -> tuple[str, None] | None:
    """Show what a widget's constructor takes: Sphinx looks at that of ipywidgets first."""
    if what != "class" or not issubclass(documented, Widget):
        return None
    return stringify_signature(signature(documented), show_annotation=False), None
