/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Counts the packets of a receive path other than AF_XDP, and passes them to the stack; or drops them, for the path
 * xdp.
 *
 * It runs at the same place as the capture program, so that paths can be compared, and losses between here and the
 * socket are known. Also, a frame that is redirected into a veth is lost without a program there.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "base/housekeeping.h"
#include "include/traffic.h"
#include "verdicts.bpf.h"

enum { FRAGMENT_OFFSET = 0x1fff };

/* Of a fragmented datagram the first fragment has the port; the stack reassembles it. */
static int is_datagram_for_socket(struct xdp_md *context)
{
	const void *end = (const void *)(long)context->data_end;
	const struct ethhdr *ethernet = (const void *)(long)context->data;
	const struct iphdr *ip = (const void *)(ethernet + 1);
	const struct udphdr *udp = (const void *)(ip + 1);
	__be16 port;

	if ((const void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_UDP || ip->daddr != constants.address || ip->ihl < 5 ||
	    ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return 0;
	if (ip->ihl == 5)
		return (const void *)(udp + 1) <= end && udp->dest == bpf_htons(TRAFFIC_PORT);
	/* After IPv4 options: only a loader with CAP_PERFMON may use such a variable offset directly. */
	return !bpf_xdp_load_bytes(context, ETH_HLEN + ip->ihl * 4 + offsetof(struct udphdr, dest), &port,
				   sizeof(port)) &&
	       port == bpf_htons(TRAFFIC_PORT);
}

static int is_for_path(struct xdp_md *context)
{
	const void *frame = (const void *)(long)context->data, *end = (const void *)(long)context->data_end;

	if (constants.counts == COUNTS_DATAGRAMS)
		return is_datagram_for_socket(context);
	return constants.counts == COUNTS_ALL || !belongs_to_stack(frame, end);
}

SEC("xdp.frags")
int capture(struct xdp_md *context)
{
	__u32 key = 0;
	struct verdicts *counts = bpf_map_lookup_elem(&verdicts, &key);

	if (!counts)
		return XDP_ABORTED;
	if (!is_for_path(context)) {
		/* As in capture.bpf.c. */
		barrier_var(counts);
		counts->passed++;
		return XDP_PASS;
	}
	counts->redirected++;
	if (constants.counts != COUNTS_DROPPED)
		return XDP_PASS;
	counts->bytes += bpf_xdp_get_buff_len(context);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
