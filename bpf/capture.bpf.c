/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Redirects what arrives on a queue to that queue's AF_XDP socket.
 *
 * Address resolution is left to the stack: a capture that took ARP and neighbour discovery would make its
 * own interface unreachable, and nothing could be sent to it any more. Multicast listener reports go the
 * same way; they are the stack's own housekeeping. Everything else is captured. An engine that joins two
 * interfaces takes all, since it is meant for whoever is on the other side.
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "program_maps.h"

const volatile struct capture_constants constants;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* as many as the engine has queues, set before loading */
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdicts);
} verdicts SEC(".maps");

/* RFC 4861 (133 to 137), RFC 2710 (130 to 132), RFC 3810 (143). */
static int is_housekeeping(__u8 icmp6_type)
{
	return (icmp6_type >= 133 && icmp6_type <= 137) || (icmp6_type >= 130 && icmp6_type <= 132) ||
	       icmp6_type == 143;
}

static int belongs_to_stack(const struct xdp_md *context)
{
	const void *end = (const void *)(long)context->data_end;
	const struct ethhdr *ethernet = (const void *)(long)context->data;
	const struct ipv6hdr *ipv6 = (const void *)(ethernet + 1);
	const __u8 *icmp6 = (const void *)(ipv6 + 1);

	if ((const void *)(ethernet + 1) > end)
		return 0;
	if (ethernet->h_proto == bpf_htons(ETH_P_ARP))
		return 1;
	if (ethernet->h_proto != bpf_htons(ETH_P_IPV6) || (const void *)(ipv6 + 1) > end)
		return 0;
	/* Listener reports come behind an 8-byte hop-by-hop header with a router alert. */
	if (ipv6->nexthdr == IPPROTO_HOPOPTS) {
		if ((const void *)(icmp6 + 9) > end)
			return 0;
		return icmp6[0] == IPPROTO_ICMPV6 && icmp6[1] == 0 && is_housekeeping(icmp6[8]);
	}
	return ipv6->nexthdr == IPPROTO_ICMPV6 && (const void *)(icmp6 + 1) <= end && is_housekeeping(*icmp6);
}

#ifndef CAPTURE_METADATA
static void add_metadata(struct xdp_md *context)
{
	(void)context;
}
#endif

SEC("xdp")
int capture(struct xdp_md *context)
{
	__u32 key = 0;
	struct verdicts *counts = bpf_map_lookup_elem(&verdicts, &key);
	long verdict;

	if (!counts)
		return XDP_ABORTED;
	if (!constants.takes_all && belongs_to_stack(context)) {
		counts->passed++;
		return XDP_PASS;
	}
	add_metadata(context);
	verdict = bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
	if (verdict == XDP_REDIRECT)
		counts->redirected++;
	else
		counts->no_socket++;
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
