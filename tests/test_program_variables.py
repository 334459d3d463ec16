"""Global variables of a program: read and set while it runs, and constants before."""

from __future__ import annotations

import pytest
from support.objects import HEAD, compiled
from support.waiting import eventually

from xdplab import ClosedError, ConfigurationError, Lab, MissingKeyError, Program, Traffic

pytestmark = pytest.mark.kernel  # which runs the programs

SIZE = 1000  # bytes of a frame, that no other sender on the wire makes
SOURCE = f"""{HEAD}
struct range {{ __u16 from, to; __u64 seen; }};
const volatile __u32 least = 2, most = 5;
const volatile struct range ports = {{ 1, 2, 3 }};
const volatile char name[8] = "first";
__u64 counted;
__s32 step = 1;
struct range allowed = {{ 80, 443, 0 }};
__u64 unused;
SEC("xdp") int count(struct xdp_md *context)
{{
	const char *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	static volatile __u16 own;

	if (data + {SIZE} <= end && data + {SIZE + 1} > end) {{
		counted += step;
		own = least + most + ports.from + name[0];
		allowed.seen++;
	}}
	return XDP_PASS;
}}
"""


def send(lab: Lab, count: int) -> None:
    with Traffic(lab.peer, lab.port, rate=2_000, size=SIZE, count=count) as traffic:
        traffic.wait(60)
        assert traffic.sent == count


def test_variables_are_read_and_set_while_the_program_runs(lab: Lab) -> None:
    with Program(compiled(SOURCE), lab.port) as program, program.attach():
        variables = program.variables
        assert (variables["counted"], variables["step"]) == (0, 1)
        send(lab, 20)
        assert eventually(lambda: variables["counted"] == 20)
        variables["step"] = -1
        send(lab, 10)
        assert eventually(lambda: variables["counted"] == 10)
        variables["counted"] = 2**63
        assert variables["counted"] == 2**63
        assert variables["allowed"].seen == 30
        assert (variables["allowed"]["from"], variables["allowed"].to) == (80, 443)
        assert variables["count.own"] == 2 + 5 + 1 + ord("f")
        variables["allowed"] = {"from": 1, "to": 2, "seen": 3}
        assert variables["allowed"].seen == 3


def test_constants_are_set_before_the_program_is_loaded(lab: Lab) -> None:
    constants = {"most": 9, "ports": (7, 8, 9), "name": "other"}
    with Program(compiled(SOURCE), lab.port, constants=constants) as program, program.attach():
        variables = program.variables
        assert (variables["least"], variables["most"], variables["name"]) == (2, 9, b"other")
        assert variables["ports"].seen == 9
        send(lab, 1)
        assert eventually(lambda: variables["count.own"] == 2 + 9 + 7 + ord("o"))


def test_a_constant_that_does_not_fit_is_named(lab: Lab) -> None:
    for constants, words in (
        ({"most": -1}, r"constants\['most'\]=-1 must be a whole number, 0 to 4294967295"),
        ({"moost": 1}, r"constants='moost' is no constant .* It has: .*most"),
        ({"step": 1}, r"constants='step' is a variable: .* program\.variables\['step'\] = 3"),
        ({"name": "far too long"}, r"constants\['name'\]='far too long' must be up to 8 bytes"),
        ({1: 2}, "constants="),
        (5, "constants=5"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            Program(compiled(SOURCE), lab.port, constants=constants)  # type: ignore[arg-type]
    without = 'SEC("xdp") int pass(struct xdp_md *context) { return XDP_PASS; }'
    with pytest.raises(ConfigurationError, match=r"no constant.*const volatile"):
        Program(compiled(HEAD + without), lab.port, constants={"most": 1})
    with pytest.raises(ConfigurationError, match="the object file"):
        Program(b"\x7fELF", lab.port, constants={"most": 1})


def test_a_variable_that_is_not_there_or_does_not_fit_is_named(lab: Lab) -> None:
    with Program(compiled(SOURCE), lab.port) as program:
        variables = program.variables
        with pytest.raises(MissingKeyError, match=r"no global variable 'conted'.*'counted'"):
            variables["conted"]
        with pytest.raises(MissingKeyError, match="no global variable 5"):
            variables[5]  # type: ignore[index]
        assert "conted" not in variables
        with pytest.raises(ConfigurationError, match=r"variables\['step'\]=2147483648 must be"):
            variables["step"] = 2**31
        with pytest.raises(ConfigurationError, match=r"constants=\{'most': 7\}"):
            variables["most"] = 7
        with pytest.raises(ConfigurationError, match=r"program\.variables\['step'\] = 3"):
            variables.step = 3  # type: ignore[attr-defined]
        assert {"counted", "step", "least", "most"} <= set(variables)
        assert "counted" in str(variables)
    with pytest.raises(ClosedError, match="was closed"):
        variables["counted"]
    assert "closed" in str(variables)
