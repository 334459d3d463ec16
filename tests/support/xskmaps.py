"""Programs with an XSKMAP, for an engine to run on."""

from __future__ import annotations

from support.objects import COUNTER, HEAD, compiled

XSKMAP = """
struct {{ __uint(type, BPF_MAP_TYPE_XSKMAP); __uint(max_entries, 4); __type(key, __u32);
         __type(value, __u32); }} {name} SEC(".maps");
"""
TO_SOCKET = "return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);"


def steering(
    body: str = TO_SOCKET,
    *,
    names: tuple[str, ...] = ("sockets",),
    section: str = "xdp",
    variables: str = "",
) -> bytes:
    """Compile a program with XSKMAPs.

    Parameters
    ----------
    body
        C. It has `context`, `data` and `end` of the packet, and `nth`, which counts packets from 0.
    names
        Of the XSKMAPs.
    section
        Of the program.
    variables
        Declarations of global ones, for the body.
    """
    maps = "".join(XSKMAP.format(name=name) for name in names)
    return compiled(
        f"""{HEAD}{COUNTER}{maps}{variables}
SEC("{section}") int steer(struct xdp_md *context)
{{
	__u32 key = 0;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	const __u8 *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (!counted)
		return XDP_ABORTED;
	const __u64 nth = __sync_fetch_and_add(counted, 1);
	(void)nth, (void)data, (void)end;
	{body}
}}
"""
    )
