"""The page, which the benchmark `widgets` uses as well."""

from xdplab.bench.browser.notebook_page import NotebookPage, write_notebook

__all__ = ["NotebookPage", "write_notebook"]
