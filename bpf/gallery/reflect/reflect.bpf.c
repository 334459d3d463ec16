/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Sends UDP datagrams to a port back to their sender: addresses and ports are swapped, of Ethernet, IP and UDP. All
 * else is passed to the stack. The checksums are sums, so they stay right.
 */
#include "gallery/headers.bpf.h"

__u16 port = 9; /* 0: all ports */
__u64 reflected;

/* Swaps two neighbours of `size` bytes each, in a buffer for both. */
static __always_inline bool swap(struct xdp_md *context, __u32 offset, __u8 *both, const __u32 size)
{
	if (!read(context, offset, both + size, size) || !read(context, offset + size, both, size))
		return false;
	return write(context, offset, both, 2 * size);
}

SEC("xdp.frags")
int reflect(struct xdp_md *context)
{
	__u8 both[2 * sizeof(struct in6_addr)];
	struct headers headers;
	bool swapped;

	find_headers(context, &headers);
	if (!headers.has_ports || headers.protocol != IPPROTO_UDP ||
	    (port && headers.ports.destination != bpf_htons(port)))
		return XDP_PASS;
	swapped = headers.type == bpf_htons(ETH_P_IP) ?
			  swap(context, headers.network + 12, both, sizeof(headers.ipv4.source)) :
			  swap(context, headers.network + 8, both, sizeof(headers.ipv6.source));
	if (!swapped || !swap(context, headers.transport, both, sizeof(__be16)) ||
	    !swap(context, 0, both, ETH_ALEN))
		return XDP_ABORTED;
	__sync_fetch_and_add(&reflected, 1);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
