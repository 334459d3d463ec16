"""A refused program's error, in the lines of its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xdplab.core.errors import ConfigurationError, VerifierError
from xdplab.programs.lines import Lines
from xdplab.refusals.verifier import LineOf, verifier_error


@contextmanager
def told_by_source(data: bytes, name: str) -> Iterator[None]:
    """Add to a refusal of the verifier's which line of the source it is about.

    This process reads the object file for it: a broker's session need not.

    Parameters
    ----------
    data, name
        As `Backend.load_program` takes them.
    """
    try:
        yield
    except VerifierError as refused:
        code = refused.errno or 0
        raise verifier_error(refused.tried, code, refused.log, _lines(data, name)) from None


def _lines(data: bytes, name: str) -> LineOf:
    try:
        return Lines(data, name).of
    except ConfigurationError:  # it loads nevertheless: what is malformed is not needed for that
        return lambda _instruction: None
