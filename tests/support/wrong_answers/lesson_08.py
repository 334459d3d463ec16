"""Wrong answers to the exercises of lesson 08."""

from support.wrong_answers import WrongAnswers


def _dropping(condition: str, counting: str) -> str:
    return f'''
short_only = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

__u64 dropped;

SEC("xdp") int short_only(struct xdp_md *context)
{{
	{counting}
	if ({condition}) {{
		__sync_fetch_and_add(&dropped, 1);
		return XDP_DROP;
	}}
	return XDP_PASS;
}}
"""
'''


_LENGTH = "bpf_xdp_get_buff_len(context)"


def _swap(*lines: str) -> str:
    return "\n    ".join(["def swap(link, source):", *lines]) + "\n"


WRONG: WrongAnswers = {
    "1": [
        'line = "if ((void *)(ethernet + 1) > end) return XDP_PASS;"',
        'line = "if ((void *)(ip + 1) > end) return XDP_DROP;"',
        'line = "if (ip + 1 > end) return XDP_PASS"',
    ],
    "2": [
        _dropping(f"{_LENGTH} >= 500", ""),
        _dropping(f"{_LENGTH} > 500", "__sync_fetch_and_add(&dropped, 1);"),
    ],
    "3": [
        _swap(
            "interface = link.interface",
            "link.close()",
            "new = Program(source, interface)",
            "new.attach()",
            "return new",
        ),
        _swap("return Program(source, link.interface)"),
        _swap("new = Program(source, lab.peer)", "link.replace(new)", "return new"),
    ],
}
