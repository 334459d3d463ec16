"""A real interface, borrowed from the broker."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from xdplab.backends.broker.backend import BROKER, not_a_childs
from xdplab.core.calls import public
from xdplab.core.checks import text
from xdplab.core.closing import Closing
from xdplab.core.errors import XdplabError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.net.interface import Interface
from xdplab.net.netlink import netlink


@public
class Loan(Tabled, FixedNames, Closing):
    """A real interface that the broker lends, in a network namespace of the user's.

    For as long as it is lent it is not in the host's network; its addresses and routes there are
    gone for good. Settings changed here (MTU, MAC, flags, offloads, ...) are restored when it
    returns. A context manager; `close`, and the end of the process, give it back.

    Parameters
    ----------
    name
        Its name, as the broker was given it with ``--interface``.

    Raises
    ------
    PermissionRefusedError
        When the broker does not serve this user, or does not lend this interface.
    InterfaceGoneError
        When it is not there: somebody else may have borrowed it.
    KernelError
        When no broker is there.
    """

    def __init__(self, name: str) -> None:
        from xdplab.broker import protocol  # noqa: PLC0415 - what others do without
        from xdplab.broker.client import connect  # noqa: PLC0415 - as above

        name = text("name", name)
        # The broker takes the primary name only; the user may give an alternative one.
        with suppress(XdplabError):
            name = Interface.find(name).name
        with ExitStack() as undo:
            namespace = undo.enter_context(BROKER.create_namespace())
            self._connection = not_a_childs(connect(protocol.INTERFACE, name, namespace.fd))
            undo.callback(self._connection.close)
            namespace.run(_switch_on, self._connection.answer["index"])
            self.interface = Interface.find(name, namespace)
            """For `Engine`."""
            undo.pop_all()

    @property
    def closed(self) -> bool:
        """Whether it was given back."""
        return self._connection.closed

    def close(self) -> None:
        """Give it back."""
        self._connection.close()
        self.interface.namespace.close()

    def _table(self) -> Table:
        return Table(self._brief(), () if self.closed else self.interface._table().rows)

    def _brief(self) -> str:
        state = "given back" if self.closed else "borrowed"
        return f"<Loan of {self.interface.name}, {state}>"


def _switch_on(index: int) -> None:
    with netlink("switch on what was borrowed") as route:
        route.link("set", index=index, state="up")
