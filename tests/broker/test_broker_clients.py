"""What a client makes of an interrupt, and of running out of descriptors."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
from support.brokers import Broker
from support.clients import as_user, make_veth, own_network
from support.requests import GOOD

from xdplab.backends.broker.backend import BROKER
from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError


def held() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_interrupt_ends_only_the_wait_for_an_answer(broker: Broker) -> None:
    def client() -> int:
        connection = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        port, _ = make_veth()
        main = threading.main_thread().ident
        assert main is not None
        signal.signal(signal.SIGINT, signal.default_int_handler)
        (session,) = broker.sessions()
        os.kill(session, signal.SIGSTOP)  # so that it does not answer before
        timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
        before = held()
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            connection.request("attach", {**GOOD["attach"], "interface": port})
        os.kill(session, signal.SIGCONT)
        with pytest.raises(ClosedError, match="no generator"):
            connection.request("generator_status")
        return held() - before

    assert as_user(client) == 0


@pytest.mark.parametrize("step", ["send", "receive"])
def test_an_interrupt_right_after_a_step_of_a_request_loses_its_own_answer_alone(
    broker: Broker, step: str
) -> None:
    def client() -> str:
        connection = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        port, _ = make_veth()
        taken = getattr(protocol, step)

        def interrupted(*arguments: object) -> None:
            taken(*arguments)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(f"xdplab.broker.client.{step}", interrupted)
            with pytest.raises(KeyboardInterrupt):
                connection.request("attach", {**GOOD["attach"], "interface": port})
        with pytest.raises(ClosedError, match="no generator"):
            connection.request("generator_status")
        return "its own"

    assert as_user(client) == "its own"


def test_who_has_no_descriptor_left_is_told_so_and_goes_on(broker: Broker) -> None:
    def client() -> tuple[str, int, int]:
        connection = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        port, _ = make_veth()
        request = {**GOOD["attach"], "interface": port}
        before, said = held(), ""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.dup(0)
        os.close(spare)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 1, most))  # of three that come
        try:
            connection.request("attach", request)
        except KernelError as error:
            said = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        left = held() - before
        # The first one's link is gone.
        return said, left, len(connection.request("attach", request)[1])

    said, left, made = as_user(client)
    assert "EMFILE" in said
    assert "or raise the limit: `prlimit" in said
    assert (left, made) == (0, 3)


def test_where_nobody_may_make_a_user_namespace_it_is_a_lack_of_privilege(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that another backend is tried: user.max_user_namespaces holds for the broker, too."""

    def forbidden(*_arguments: object) -> None:
        raise PermissionRefusedError("make a user namespace", errno.ENOSPC, "Start the broker.")

    def neither(_kind: bytes) -> None:
        raise KernelError("make a user namespace for you", errno.ENOSPC)

    monkeypatch.setattr("xdplab.backends.lab_process.client.LabProcess", forbidden)
    monkeypatch.setattr("xdplab.broker.client.connect", neither)
    monkeypatch.setattr(BROKER, "_processes", {})
    monkeypatch.setattr(BROKER, "_reach", lambda: None)
    with pytest.raises(PermissionRefusedError, match="Nor may the broker: could not"):
        BROKER.create_namespace()
