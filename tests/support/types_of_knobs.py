"""What a type checker sees of a knob: mypy reads this with the package, and nothing runs it."""

from typing import Literal, assert_type

from xdplab import Engine, Traffic


def read(engine: Engine, traffic: Traffic) -> None:
    """Read a knob of each home: its type is that of its values."""
    assert_type(engine.batch, int)
    assert_type(engine.wait, str)
    assert_type(engine.inspect, bool)
    assert_type(engine.stream_rate, int | float | Literal["max"])
    assert_type(traffic.size, int)
    assert_type(engine.napi.threaded, bool | Literal["busy-poll"] | None)


def turn(engine: Engine) -> None:
    """Turn a knob to what it does not take."""
    engine.batch = "many"  # type: ignore[assignment] # is seen, or mypy finds this unused
