"""A lab process on the socket that the command line names, in a process that is root already."""

from __future__ import annotations

import socket
import sys

from xdplab.backends.lab_process.server import serve

if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
