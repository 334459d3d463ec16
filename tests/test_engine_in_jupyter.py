"""In a real Jupyter kernel, a cell that runs again replaces the engine or generator it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.usefixtures("privileged")

Run = Callable[[str, str], str]


@pytest.fixture
def run() -> Iterator[Run]:
    """Run code as the cell of a given id, as Jupyter's front ends name it; return what it said."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run_cell(cell: str, code: str) -> str:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        request = client.session.msg("execute_request", content, metadata={"cellId": cell})
        client.shell_channel.send(request)
        said = ""
        while True:
            message = client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said += content["text"]
            elif message["msg_type"] == "error":
                said += f"{content['ename']}: {content['evalue']}"
            elif content.get("execution_state") == "idle":
                return said

    try:
        yield run_cell
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


MAKE = "engine = Engine(lab.port).start()"


def test_a_cell_that_runs_again_replaces_its_engine_and_no_other(run: Run) -> None:
    assert run("imports", "from xdplab import Engine, Lab; lab = Lab()") == ""
    assert run("make", MAKE) == ""
    run("look", "kept = engine")
    assert run("make", MAKE) == ""
    assert run("look", "print(kept.closed, engine.running)") == "True True\n"
    # Another cell's is another engine on the same queue, which the kernel refuses.
    assert run("other", "Engine(lab.port)").startswith("QueueBusyError")
    # What can't work anyway does not cost the engine that runs.
    assert run("make", "engine = Engine(lab.port, batch=0)").startswith("ConfigurationError")
    assert run("look", "print(engine.running)") == "True\n"


def test_a_cell_that_runs_again_replaces_its_generator(run: Run) -> None:
    assert run("imports", "from xdplab import Lab, Traffic; lab = Lab()") == ""
    make = "traffic = Traffic(lab.peer, lab.port, rate=1000).start()"
    assert run("make", make) == ""
    run("look", "kept = traffic")
    assert run("make", make) == ""
    assert run("look", "print(kept.closed, traffic.running)") == "True True\n"


@pytest.mark.privilege  # an engine can not be made in a lab process and returned
@pytest.mark.kernel
def test_an_interface_by_name_is_the_same_one_when_it_is_looked_up_again(run: Run) -> None:
    # Inside a lab's namespace, where names mean the lab's interfaces.
    assert run("imports", "from xdplab import Engine, Lab; lab = Lab()") == ""
    make = "engine = lab.port.run(Engine, 'port0').start()"
    assert run("make", make) == ""
    run("look", "kept = engine")
    assert run("make", make) == ""
    assert run("look", "print(kept.closed, engine.running)") == "True True\n"
