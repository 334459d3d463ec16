"""The lab process: labs without privilege.

Whoever may make user namespaces is root in one, over network namespaces that belong to it: there
they can make interfaces, addresses and sockets, and nothing outside is touched. But a process can
enter a new user namespace only while it has a single thread, and is then somebody else than the
user. So a process of its own does it, and the client sends it functions to run.
"""

from __future__ import annotations

import socket


def serve(client: socket.socket) -> None:
    """Be a lab process for a client until it is gone; never returns: `server.serve`."""
    from xdplab.lab_process.server import serve as serve_client  # noqa: PLC0415 - imports pickle

    serve_client(client)
