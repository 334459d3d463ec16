"""Every remedy of the error table is typed as it stands, after its error was provoked for real."""

from __future__ import annotations

import errno

import pytest
from support import trials_of_ports, trials_of_workers
from support.typed_remedies import TRIALS, Row

from xdplab.native import lib
from xdplab.refusals.errors import BY_ERRNO, BY_STEP

pytestmark = pytest.mark.privilege  # which most of them are about

assert trials_of_ports, trials_of_workers  # which fill in the trials

ROWS: list[Row] = [*((lib.XDPLAB_STEP_NONE, code) for code in BY_ERRNO), *BY_STEP]

# Rows whose error this machine can't be brought to, and why not.
NOT_HERE: dict[Row, str] = {
    (lib.XDPLAB_STEP_LOAD_PROGRAM, errno.EINVAL): "takes a kernel older than 6.6 or 6.3",
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EINVAL): (
        "the interface goes between bind and attach, or a card's driver is set up so"
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRNOTAVAIL): (
        "the address goes between the look for it and the bind"
    ),
    (lib.XDPLAB_STEP_BIND, errno.EINVAL): (
        "takes a kernel older than 6.6, or a zero-copy driver; queues are counted before"
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOTTY): "takes a kernel older than 6.9",
    (lib.XDPLAB_STEP_BIND, errno.ENOENT): "takes a virtio-net device (tests/vm/test_doctor.py)",
}


def test_every_row_is_tried_or_said_why_not() -> None:
    assert set(ROWS) == set(TRIALS) | set(NOT_HERE)
    assert not set(TRIALS) & set(NOT_HERE)


@pytest.mark.parametrize("row", TRIALS, ids=lambda row: f"{row[0]}-{errno.errorcode[row[1]]}")
def test_the_error_is_gone_once_one_did_what_it_says(privileged: None, row: Row) -> None:
    TRIALS[row]()
