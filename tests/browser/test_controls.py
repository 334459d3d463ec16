"""Each control used with mouse and keyboard in JupyterLab, and its effect read from the worker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.controls import around, box, button, choose, click, drag, group, press, tick
from support.pages import Look, OpenNotebook

CAPTURE = """
import json, threading, time, warnings
from xdplab import ACTIONS, WAIT_STRATEGIES, Engine, Lab, Stream, Traffic
from xdplab.native import lib
from xdplab.widgets import Controls
warnings.simplefilter("ignore")
lab = Lab()
engine = Engine(lab.port).start()
traffic = Traffic(lab.peer, lab.port, rate=500).start()

def eventually(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())

def counted(*names):
    now = time.monotonic_ns()
    eventually(lambda: engine.telemetry.counters()["time_ns"] > now)
    counters = engine.telemetry.counters()
    return [int(counters[name]) for name in names]

def grown(*names, packets=500):
    "How much counters grow while so many packets arrive."
    before = counted("rx_packets", *names)
    eventually(lambda: counted("rx_packets")[0] >= before[0] + packets)
    return [now - then for now, then in zip(counted("rx_packets", *names), before)]

def settings_made():
    return int(engine.telemetry.counters()["syscalls"][lib.XDPLAB_SYSCALL_SETTINGS])

controls = Controls(engine, traffic)
controls
"""


class Use(NamedTuple):
    """A control, used once."""

    before: str
    """What is run in the kernel first."""
    use: Callable[[NotebookPage], None]
    effect: str
    """What then is true of the worker."""


USES = {
    "batch": Use("", press("Batch size", "End"), "counted('control_batch') == [2048]"),
    "wait": Use(
        "",
        choose("Wait", "epoll"),
        "WAIT_STRATEGIES[counted('control_wait')[0]] == 'epoll'"
        " and engine.telemetry.counters()['syscalls'][lib.XDPLAB_SYSCALL_EPOLL_WAIT] > 0",
    ),
    "spin_microseconds": Use(
        "engine.wait = 'adaptive'",
        press("Spin time", "Home"),
        "grown('idle_ns')[1] == 0",
    ),
    "spin_share": Use(
        "engine.spin_microseconds = 1_000_000",
        press("Spin share", "Home"),
        "grown('idle_ns')[1] == 0",
    ),
    "busy_poll_microseconds": Use(
        "engine.wait = 'uring-napi'; before = settings_made()",
        press("Busy-poll time", "ArrowRight"),
        "settings_made() > before and engine.busy_poll_microseconds == controls.busy_poll_"
        "microseconds",
    ),
    "busy_poll_budget": Use(
        "engine.wait = 'busy-poll'; eventually(lambda: grown()); before = settings_made()",
        press("Budget", "End"),
        "settings_made() == before + 3 and engine.busy_poll_budget == 1024",
    ),
    "timer_microseconds": Use(
        "engine.wait = 'timer'",
        press("Timer", "End"),
        "engine.timer_microseconds == 10_000 and grown('timeouts')[1] > 0",
    ),
    "action": Use(
        "engine.wait = 'poll'",
        choose("Action", "reflect"),
        "ACTIONS[counted('control_action')[0]] == 'reflect' and grown('tx_packets')[1] > 0",
    ),
    "checksum": Use("", choose("Checksums", "none"), "engine.checksum == 'none'"),
    "burst": Use(
        # Packets come by the hundred, so that there is a burst to be cut.
        "engine.action = 'drop'; engine.napi.defer_hard_irqs = 100;"
        " engine.napi.gro_flush_timeout = 20_000_000",
        press("Burst budget", "Home"),
        "(lambda then: grown() and (engine.telemetry.counters()['batches'] - then)[1:].sum() == 0)"
        "(engine.telemetry.counters()['batches'])",
    ),
    "sample_every": Use(
        "engine.burst = 256; engine.napi.restore()",
        press("Samples", "ArrowLeft", 3),  # from 1 in 1,000 to 1 in 1
        "len(set(grown('samples'))) == 1",
    ),
    "inspect": Use("", tick("Inspect every frame"), "grown('stream_frames')[1] > 0"),
    "pace": Use(
        "",
        press("Pace", "End"),
        "(lambda then: time.sleep(0.3) or counted('rx_packets') == then)(counted('rx_packets'))"
        " and (engine.step(3) or eventually(lambda: counted('steps')[0] >= 3))",
    ),
    "rate": Use(
        "engine.pace = 0; engine.inspect = True",
        press("Rate", "End"),
        "grown(packets=20_000) and time.sleep(0.3) is None and counted('rx_packets')[0] > 20_000",
    ),
    "size": Use(
        "traffic.rate = 5_000",
        press("Size", "End"),
        "(lambda packets, size: size == 1514 * packets)(*grown('rx_bytes'))",
    ),
    "threaded": Use(
        "",
        choose("Threaded", "yes"),
        "engine.napi.read()[0].threaded"
        " and open(f'/proc/{engine.napi.latest.thread}/comm').read().startswith('napi/port0')",
    ),
    "defer_hard_irqs": Use("", press("Defer IRQs", "End"), "engine.napi.defer_hard_irqs == 100"),
    "gro_flush_timeout": Use(
        "engine.wait = 'poll'",
        press("Flush timeout", "End"),
        # A millisecond apart at least, and five packets came in each one before.
        "engine.napi.gro_flush_timeout == 1_000_000 and grown('wakeups')[1] < 250",
    ),
    "irq_suspend_timeout": Use(
        "", press("Suspend IRQs", "End"), "engine.napi.irq_suspend_timeout == 1_000_000_000"
    ),
}


def cells_of(use: Use) -> tuple[str, str]:
    return use.before, f"print(eventually(lambda: {use.effect}))"


def test_each_control_turns_what_it_is_for(open_notebook: OpenNotebook) -> None:
    cells = [cell for use in USES.values() for cell in cells_of(use)]
    # At that rate a burst or a wakeup has several packets, and their counts come soon.
    page = open_notebook(CAPTURE.replace("rate=500", "rate=5_000"), *cells)
    page.run(0)
    group(page, "hslider", "Batch size").wait_for()
    for number, (name, use) in enumerate(USES.items()):
        page.run(1 + 2 * number)
        use.use(page)
        assert page.run(2 + 2 * number).strip() == "True", name


GENERATES = """
traffic.close()
engine.close()
engine = Engine(lab.peer, stream=Stream(lab.port, rate=1)).start()
Controls(engine)
"""


def test_the_rate_of_an_engine_that_generates_is_turned(open_notebook: OpenNotebook) -> None:
    turned = "print(eventually(lambda: engine.stream_rate == 10_000))"
    page = open_notebook(CAPTURE.replace("\ncontrols\n", GENERATES), turned)
    page.run(0)
    expect(box(page, "Rate")).to_have_value("1 pps")
    press("Rate", "ArrowRight", 12)(page)
    expect(box(page, "Rate")).to_have_value("10 kpps")
    assert page.run(1).strip() == "True"


# What a test leaves of a capture, so that the next can go on with it.
AGAIN = """
engine.batch, engine.wait = 64, "poll"
"""


def busy_until(batch: int) -> str:
    """Return a cell that ends when the worker uses a batch size, or in the end without it.

    It prints itself what the worker used and what came of it.
    """
    return f"""
eventually(lambda: counted("control_batch") == [{batch}])
print(json.dumps([controls.batch, engine.batch, *counted("control_batch")]))
"""


def test_a_slider_that_is_dragged_reaches_the_worker_while_a_cell_runs(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, busy_until(2048), busy_until(1), again=AGAIN)
    group(page, "hslider", "Batch size").wait_for()
    for cell, to, batch in ((1, 1.0, 2048), (2, 0.0, 1)):
        page.start(cell)
        drag(page, "Batch size", to)
        page.wait_for(cell)
        assert json.loads(page.printed(cell)) == [batch, batch, batch]


def test_controls_follow_python_and_the_worker_follows_them_in_the_next_busy_cell(
    go_on: OpenNotebook,
) -> None:
    page = go_on(
        CAPTURE,
        "engine.batch = 100",
        "controls.batch = 512; controls.wait = 'uring-napi'",
        busy_until(256),
        again=AGAIN,
    )
    page.run(1)
    expect(box(page, "Batch size")).to_have_value("100")
    page.run(2)
    expect(box(page, "Batch size")).to_have_value("512")
    menu = group(page, "dropdown", "Wait").locator("select")
    expect(menu).to_have_value("uring-napi")
    expect(group(page, "hslider", "Busy-poll time")).to_be_visible()
    page.start(3)
    press("Batch size", "ArrowLeft")(page)
    page.wait_for(3)
    assert json.loads(page.printed(3)) == [256, 256, 256]


TYPED = """
print(eventually(lambda: counted("control_batch") == [300]), engine.batch, traffic.rate)
"""


def test_a_value_is_typed_while_a_cell_runs_and_one_that_is_none_is_refused_beside_it(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, TYPED, "traffic.rate = 500", again=AGAIN)
    # What is typed while the page takes away what the test before has left goes with it.
    expect(box(page, "Batch size")).to_have_value("64")
    page.start(1)
    box(page, "Batch size").fill("300")
    box(page, "Batch size").press("Enter")
    page.wait_for(1)
    assert page.printed(1).split() == ["True", "300", "500"]
    for text, shown, word in (
        ("200k", "200 kpps", ""),
        ("soon", "200 kpps", "rate='soon' must be 'max', or"),
        ("2T", "200 kpps", "rate='2T' must be 'max', or"),
        ("5000G", "1 Gpps", "5000G is above the most, 1 Gpps."),
        ("1.5M", "1.5 Mpps", ""),
    ):
        box(page, "Rate").fill(text)
        box(page, "Rate").press("Enter")
        expect(box(page, "Rate")).to_have_value(shown)
        words = around(page, "Rate").get_by_role("alert")
        expect(words).to_have_count(int(bool(word)))
        if word:
            expect(words).to_contain_text(word)
    assert page.run(1).split() == ["True", "300", "1500000"]
    page.run(2)


def test_an_ineffective_strategy_is_marked_and_explained(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, again=AGAIN)
    choose("Wait", "busy-poll (ineffective here)")(page)
    page.page.get_by_text("the driver does not tell an AF_XDP socket its NAPI").wait_for()


# With no descriptor left, the kernel refuses what the strategies of io_uring and epoll need.
# The process keeps its descriptors, which Jupyter's threads need: one thread is refused io_uring,
# and so is the worker that it starts.
WITHOUT_IO_URING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from support.no_io_uring import forbid_io_uring

def start():
    forbid_io_uring()
    engine.start()

engine.stop()
starter = threading.Thread(target=start)
starter.start(), starter.join()
print(eventually(lambda: engine.telemetry.counters()["rx_packets"] > 0))
"""


def test_what_the_kernel_refuses_is_said_and_the_menu_goes_back(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, WITHOUT_IO_URING, "print(engine.wait)", again=AGAIN)
    assert page.run(1).strip() == "True"
    menu = group(page, "dropdown", "Wait").locator("select")
    menu.select_option("uring-multishot")
    page.page.get_by_text("could not prepare the wait strategy uring-multishot").wait_for()
    expect(menu).to_have_value("poll")
    menu.select_option("spin")
    expect(page.page.get_by_text("could not prepare")).to_have_count(0)
    assert page.run(2).strip() == "spin"


def test_a_closed_engine_is_said_and_its_controls_greyed_out(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, "traffic.close(); engine.close()", again=AGAIN)
    group(page, "hslider", "Batch size").wait_for()
    page.run(1)
    page.page.get_by_text("engine is closed").wait_for()
    expect(group(page, "dropdown", "Wait").locator("select")).to_be_disabled()
    for name in ("Latency", "Undo", "Start"):
        expect(button(page, name)).to_be_disabled()


def test_two_controls_and_two_browsers_agree(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE, "Controls(engine, traffic)", "print(engine.batch)")
    page.run(0)
    page.run(1)
    group(page, "hslider", "Batch size", 1).wait_for()
    page.save()
    other = open_notebook()
    group(other, "hslider", "Batch size", 1).wait_for()
    press("Batch size", "End")(page)
    for view in (page, other):
        for nth in (0, 1):
            expect(box(view, "Batch size", nth)).to_have_value("2,048")
    press("Batch size", "Home")(other)
    for nth in (0, 1):
        expect(box(page, "Batch size", nth)).to_have_value("1")
    assert int(page.run(2)) == 1


SEVERAL = """
traffic.close()
engine.close()
lab.close()
lab = Lab(queues=2)
engine = Engine(lab.port, queue=[0, 1]).start()
traffic = Traffic(lab.peer, lab.port, rate=5_000).start()
Controls(engine, traffic)
"""
BUSY = """
eventually(lambda: engine.telemetry.total()["rx_packets"] > 0)
print(*(int(engine.telemetry.counters(queue)["rx_packets"] > 0) for queue in (0, 1)))
"""


def test_what_arrives_on_each_queue_is_seen_beside_the_sliders(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE.replace("\ncontrols\n", SEVERAL), BUSY, "traffic.stop() and None")
    page.run(0)
    busy = page.run(1).split()
    assert sorted(busy) == ["0", "1"]  # a veth's queue is the sender's core
    rows = page.page.locator(".xdplab-queues tr")
    rates = [rows.nth(queue).locator("td").nth(2) for queue in (0, 1)]
    for queue, is_busy in enumerate(busy):
        expect(rows.nth(queue).locator("td").first).to_have_text(f"Queue {queue}")
        wanted = re.compile(r"^[1-9][\d.]* k?pps$") if is_busy == "1" else "0 pps"
        expect(rates[queue]).to_have_text(wanted)
    page.run(2)
    for rate in rates:
        expect(rate).to_have_text("0 pps")


USED = """
used = counted("control_batch", "control_wait")
print(json.dumps([used[0], WAIT_STRATEGIES[used[1]], engine.napi.gro_flush_timeout]))
"""


def test_presets_set_the_worker_and_undo_takes_them_back_one_by_one(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(CAPTURE, *[USED] * 6)
    page.run(0)
    click("Throughput")(page)
    page.page.get_by_text("the worker never sleeps").wait_for()
    assert json.loads(page.run(1)) == [256, "adaptive", 0]
    click("Latency")(page)
    page.page.get_by_text("so the worker spins").wait_for()
    assert json.loads(page.run(2)) == [16, "spin", 0]
    click("Low CPU")(page)
    page.page.get_by_text("one wake-up serves many").wait_for()
    assert json.loads(page.run(3)) == [64, "uring-multishot", 50_000]
    menu = group(page, "dropdown", "Wait").locator("select")
    for cell, (batch, wait) in ((4, (16, "spin")), (5, (256, "adaptive")), (6, (64, "poll"))):
        click("Undo")(page)
        expect(menu).to_have_value(wait)
        assert json.loads(page.run(cell)) == [batch, wait, 0]
    expect(button(page, "Undo")).to_be_disabled()


def test_reload_shows_the_knobs_as_they_are_and_they_still_turn(
    open_notebook: OpenNotebook,
) -> None:
    turned = "print(eventually(lambda: counted('control_batch') == [8]))"
    page = open_notebook(CAPTURE, "engine.batch = 4", turned)
    page.run(0)
    group(page, "hslider", "Batch size").wait_for()
    page.save()
    page.run(1)
    page.reload()
    expect(box(page, "Batch size")).to_have_value("4")
    press("Batch size", "ArrowRight")(page)
    expect(box(page, "Batch size")).to_have_value("8")
    assert page.run(2).strip() == "True"


PUMPS_LEFT = """
eventually(lambda: "xdplab-pump" not in {thread.name for thread in threading.enumerate()})
print(sum(thread.name == "xdplab-pump" for thread in threading.enumerate()))
"""


def test_no_pump_is_left_when_the_output_is_closed(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        CAPTURE,
        'print(eventually(lambda: "xdplab-pump" in {t.name for t in threading.enumerate()}))',
        PUMPS_LEFT,
    )
    page.run(0)
    assert page.run(1).strip() == "True"
    page.clear_output(0)
    assert int(page.run(2)) == 0


def test_looks_of_controls(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_notebook(CAPTURE)
    page.run(0)
    group(page, "hslider", "Batch size").wait_for()
    click("Throughput")(page)
    page.page.get_by_text("the worker never sleeps").wait_for()
    box(page, "Batch size").fill("many")
    box(page, "Batch size").press("Enter")
    around(page, "Batch size").get_by_role("alert").wait_for()
    page.page.locator(".jp-OutputArea-output").scroll_into_view_if_needed()
    look(page)
