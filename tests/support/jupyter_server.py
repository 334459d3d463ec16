"""The server, which the benchmark `widgets` uses as well."""

from xdplab.bench.browser.jupyter_server import JupyterServer

__all__ = ["JupyterServer"]
