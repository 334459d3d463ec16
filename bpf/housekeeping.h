/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What is left to the stack in any case: ARP and neighbour discovery, without which an interface is unreachable
 * and nothing can be sent to it any more, and multicast listener reports, the stack's own housekeeping.
 */
#ifndef XDPLAB_HOUSEKEEPING_H
#define XDPLAB_HOUSEKEEPING_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>

/* RFC 4861 (133 to 137), RFC 2710 (130 to 132), RFC 3810 (143). */
static inline int is_housekeeping(__u8 icmp6_type)
{
	return (icmp6_type >= 133 && icmp6_type <= 137) || (icmp6_type >= 130 && icmp6_type <= 132) ||
	       icmp6_type == 143;
}

static inline int belongs_to_stack(const struct xdp_md *context)
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

#endif
