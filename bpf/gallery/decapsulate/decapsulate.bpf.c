/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Unwraps IP packets in IP or in generic UDP encapsulation, as `balancer` sends them, and passes them to the stack.
 *
 * The stack then takes them if it has the inner packet's address. Only what is to one of its own addresses, where these
 * are set, is unwrapped. All else is passed as it came, also parts of packets.
 */
#include "gallery/headers.bpf.h"

#include <linux/udp.h>

__be32 address4;    /* 0: any */
__be32 address6[4]; /* 0: any */
__u16 gue_port = 6080;
__u64 decapsulated;

static __always_inline bool is_own(const struct headers *headers)
{
	const __be32 *is = headers->ipv6.destination.in6_u.u6_addr32;

	if (headers->type == bpf_htons(ETH_P_IP))
		return !address4 || headers->ipv4.destination == address4;
	return !(address6[0] | address6[1] | address6[2] | address6[3]) ||
	       (is[0] == address6[0] && is[1] == address6[1] && is[2] == address6[2] && is[3] == address6[3]);
}

/* Takes `size` bytes out behind the link header, whose tags stay. */
static __always_inline bool unwrap(struct xdp_md *context, __u32 link, __u32 size, __be16 type)
{
	__u8 header[sizeof(struct ethhdr) + MOST_TAGS * sizeof(struct tag)] = { 0 };

	/* The verifier has to see the bounds here. */
	if (link < sizeof(struct ethhdr) || link > sizeof(header) || !read(context, 0, header, link))
		return false;
	return !bpf_xdp_adjust_head(context, size) && write(context, 0, header, link) &&
	       write(context, link - sizeof(type), &type, sizeof(type));
}

/* Where the inner packet begins; 0: there is none. */
static __always_inline __u32 find_inner(const struct headers *headers)
{
	if (!headers->transport || headers->is_fragment || !is_own(headers))
		return 0;
	if (headers->protocol == IPPROTO_IPIP || headers->protocol == IPPROTO_IPV6)
		return headers->transport;
	if (headers->has_ports && headers->protocol == IPPROTO_UDP && headers->ports.destination == bpf_htons(gue_port))
		return headers->transport + sizeof(struct udphdr);
	return 0;
}

SEC("xdp.frags")
int decapsulate(struct xdp_md *context)
{
	struct headers headers;
	struct iphdr begin = { 0 }; /* of IPv6 half of its header */
	__be16 type;
	__u32 inner;

	find_headers(context, &headers);
	inner = find_inner(&headers);
	if (!inner || !read(context, inner, &begin, sizeof(begin)))
		return XDP_PASS;
	/* In generic UDP encapsulation, 4 and 6 stand for a packet without a header of its own (variant 1). */
	if (begin.version == 4 && headers.protocol != IPPROTO_IPV6)
		type = bpf_htons(ETH_P_IP);
	else if (begin.version == 6 && headers.protocol != IPPROTO_IPIP)
		type = bpf_htons(ETH_P_IPV6);
	else
		return XDP_PASS;
	if (!unwrap(context, headers.network, inner - headers.network, type))
		return XDP_ABORTED;
	__sync_fetch_and_add(&decapsulated, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
