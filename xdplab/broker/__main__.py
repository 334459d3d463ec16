"""The broker's own process: `python -I -m xdplab.broker --group NAME`."""

from __future__ import annotations

import argparse
import sys

from xdplab.broker.command import add_options
from xdplab.broker.daemon.start import serve
from xdplab.core.errors import XdplabError


def main() -> int:
    """Run the broker; return its exit status."""
    parser = argparse.ArgumentParser(prog="xdplab broker")
    add_options(parser)
    try:
        return serve(parser.parse_args())
    except XdplabError as error:
        print(f"xdplab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
