"""In a time namespace, whose clocks are ahead or behind, rates, latencies and times are right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xdplab import Lab

_COUNT = 200

# What is measured there: how long a generator takes for frames of a second, how many it sends in
# its own time, how old frames are when they arrive, and whether other times in samples fit to the
# worker's.
_MEASURE = f"""
import json, sys, time
from xdplab import Engine, Lab, Sampling, Stream, Traffic
from xdplab.telemetry.region import SAMPLE_PROGRAM_TIME

def timed(traffic):
    began = time.monotonic()
    traffic.start()
    assert traffic.wait(30)
    return time.monotonic() - began

backend = sys.argv[1]
with Lab(backend=backend) as lab:
    with Engine(lab.port, inspect=True, sampling=Sampling(every=1, metadata=True)) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=1001)
        ledger = engine.ledger(traffic)
        began = time.monotonic()
        took = timed(traffic)
        sent, account = traffic.sent, ledger.settle(30)
        traffic.close()
        samples, _ = engine.telemetry.samples()
        late = samples["time_ns"].astype(int) - samples["sent_ns"].astype(int)
        seen = samples["time_ns"].astype(int) - samples["device_time_ns"].astype(int)
        assert (samples["flags"] & SAMPLE_PROGRAM_TIME).all()
        latency = engine.telemetry.latency()
        found = dict(
            now=time.monotonic(), took=took, whole=time.monotonic() - began,
            sent=sent, balanced=account.balanced,
            latency=latency.percentile(50), counted=latency.total,
            late=[int(late.min()), int(late.max())], seen=[int(seen.min()), int(seen.max())],
            sampled=int(samples["time_ns"][-1]),
        )
        brief = Traffic(lab.peer, lab.port, rate=1000, seconds=0.2)
        found["lasted"], found["brief"] = timed(brief), brief.sent
        brief.close()
    stream = Stream(lab.port, rate=1000, count={_COUNT})
    with Engine(lab.port, action="reflect"), Engine(
        lab.peer, stream=stream, action="generate", inspect=True
    ) as client:
        deadline = time.monotonic() + 30
        while client.telemetry.latency().total < {_COUNT} and time.monotonic() < deadline:
            time.sleep(0.01)
        found["round trip"] = client.telemetry.latency().percentile(50)
        found["returned"] = client.telemetry.latency().total
print(json.dumps(found))
"""


@pytest.fixture(params=[("--monotonic", 86_400), ("--monotonic", -1), ("--boottime", 86_400)])
def clocks(request: pytest.FixtureRequest) -> list[str]:
    """Return what to put before a command that is to have other clocks."""
    clock, offset = request.param
    if offset < 0:  # it may not begin before 0
        offset = -int(float(Path("/proc/uptime").read_text().split()[0]) // 2)
    return ["unshare", "--time", "--fork", clock, str(offset)]


@pytest.mark.privilege  # a namespace of time takes root
@pytest.mark.parametrize("backend", ["kernel", "soft"])
def test_what_is_timed_there_is_right(lab: Lab, clocks: list[str], backend: str) -> None:
    done = subprocess.run(
        [*clocks, sys.executable, "-c", _MEASURE, backend],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    # Late is what a busy machine makes a frame; early it is never.
    assert found["sent"] == 1001
    assert 1 <= found["took"] < 20
    assert found["brief"] <= 201
    assert 0.2 <= found["lasted"] < 20
    assert found["balanced"]
    # Sent before it was received, and not for longer ago than the whole took.
    assert found["counted"] == found["sent"]
    assert 0 < found["latency"] < found["whole"] * 1e9
    assert 0 <= found["late"][0] <= found["late"][1] < found["whole"] * 1e9
    assert 0 <= found["seen"][0] <= found["seen"][1] < found["whole"] * 1e9
    assert abs(found["now"] * 1e9 - found["sampled"]) < 60e9
    assert found["returned"] == _COUNT
    assert 0 < found["round trip"] < 10e9
