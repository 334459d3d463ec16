/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Forwards IPv4 and IPv6 packets between the interfaces of a host, by the host's own routes and neighbours.
 *
 * bpf_fib_lookup asks the kernel's tables, so nothing is kept twice. The stack gets each packet that this can't
 * forward, and does what a router must: it answers that the time is exceeded or the packet too long, finds the
 * neighbour, cuts into fragments, reads options. Attach it to each interface that packets come in by. Frames to the
 * hardware address of another host are not told apart: the interface must not be promiscuous.
 */
#include "gallery/headers.bpf.h"

/* Packets; all but the first two were passed to the stack. */
__u64 forwarded;
__u64 blackholed;     /* dropped, as a route says */
__u64 refused;        /* by a route: unreachable, prohibit */
__u64 not_forwarded;  /* to this host or a group; without a route */
__u64 forwarding_off; /* the host does not forward what comes in by this interface */
__u64 no_neighbour;   /* the next hop's hardware address is not known yet */
__u64 too_long;       /* for the next link */
__u64 expired;        /* TTL or hop limit */
__u64 other;          /* no IP packet, one with VLAN tags, options or a damaged header, or to a tunnel */

/* What no router forwards, which bpf_fib_lookup does not look at: 0.0.0.0/8, 127.0.0.0/8, groups. */
static __always_inline bool is_host4(__be32 address)
{
	const __u8 first = bpf_ntohl(address) >> 24;

	return first != 0 && first != 127 && first < 224;
}

/* ::/96, with the unspecified address and the loopback's; fe80::/10; ff00::/8. */
static __always_inline bool is_host6(const struct in6_addr *address)
{
	const __be32 *words = address->in6_u.u6_addr32;
	const __u32 first = bpf_ntohl(words[0]);

	return (words[0] | words[1] | words[2]) && first >> 22 != 0xfe80 >> 6 && first >> 24 != 0xff;
}

static __always_inline int pass(__u64 *count)
{
	__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

/* Returns XDP_REDIRECT where the packet can be forwarded. */
static __always_inline int look_up(struct xdp_md *context, struct bpf_fib_lookup *route)
{
	switch (bpf_fib_lookup(context, route, sizeof(*route), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		return XDP_REDIRECT;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
		__sync_fetch_and_add(&blackholed, 1);
		return XDP_DROP;
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return pass(&refused);
	case BPF_FIB_LKUP_RET_NOT_FWDED:
		return pass(&not_forwarded);
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return pass(&forwarding_off);
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return pass(&no_neighbour);
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return pass(&too_long);
	default:
		return pass(&other);
	}
}

static __always_inline int send(struct ethhdr *ethernet, const struct bpf_fib_lookup *route)
{
	__builtin_memcpy(ethernet->h_dest, route->dmac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, route->smac, ETH_ALEN);
	__sync_fetch_and_add(&forwarded, 1);
	return bpf_redirect(route->ifindex, 0);
}

static __always_inline int route4(struct xdp_md *context, struct ethhdr *ethernet, struct iphdr *ip)
{
	struct bpf_fib_lookup route = { 0 };
	__u32 check;
	int verdict;

	if (ip->version != 4 || ip->ihl != 5 || bpf_ntohs(ip->tot_len) < sizeof(*ip) ||
	    sizeof(*ethernet) + bpf_ntohs(ip->tot_len) > bpf_xdp_get_buff_len(context))
		return pass(&other);
	if (!is_host4(ip->saddr) || !is_host4(ip->daddr))
		return pass(&not_forwarded);
	if (ip->ttl <= 1)
		return pass(&expired);
	route.family = 2; /* AF_INET */
	route.tos = ip->tos;
	route.l4_protocol = ip->protocol;
	route.tot_len = bpf_ntohs(ip->tot_len);
	route.ipv4_src = ip->saddr;
	route.ipv4_dst = ip->daddr;
	route.ifindex = context->ingress_ifindex;
	verdict = look_up(context, &route);
	if (verdict != XDP_REDIRECT)
		return verdict;
	/* The word with the TTL is one less in its upper byte, so the sum's complement is one more. A checksum that
	 * was wrong stays wrong: the receiver drops the packet. */
	check = ip->check + bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl -= 1;
	return send(ethernet, &route);
}

static __always_inline int route6(struct xdp_md *context, struct ethhdr *ethernet, struct ipv6hdr *ip)
{
	struct bpf_fib_lookup route = { 0 };
	const __u32 length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	int verdict;

	if (ip->version != 6 || ip->nexthdr == IPPROTO_HOPOPTS ||
	    sizeof(*ethernet) + length > bpf_xdp_get_buff_len(context))
		return pass(&other);
	if (!is_host6(&ip->saddr) || !is_host6(&ip->daddr))
		return pass(&not_forwarded);
	if (ip->hop_limit <= 1)
		return pass(&expired);
	route.family = 10; /* AF_INET6 */
	route.flowinfo = *(__be32 *)ip & bpf_htonl(0x0fffffff);
	route.l4_protocol = ip->nexthdr;
	route.tot_len = length < 0xffff ? length : 0xffff;
	__builtin_memcpy(route.ipv6_src, &ip->saddr, sizeof(route.ipv6_src));
	__builtin_memcpy(route.ipv6_dst, &ip->daddr, sizeof(route.ipv6_dst));
	route.ifindex = context->ingress_ifindex;
	verdict = look_up(context, &route);
	if (verdict != XDP_REDIRECT)
		return verdict;
	ip->hop_limit -= 1;
	return send(ethernet, &route);
}

SEC("xdp.frags")
int router(struct xdp_md *context)
{
	void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	void *ip = ethernet + 1;

	if (ip > end || ethernet->h_dest[0] & 1) /* to a group, or to all */
		return pass(&other);
	if (ethernet->h_proto == bpf_htons(ETH_P_IP) && ip + sizeof(struct iphdr) <= end)
		return route4(context, ethernet, ip);
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6) && ip + sizeof(struct ipv6hdr) <= end)
		return route6(context, ethernet, ip);
	return pass(&other);
}

char LICENSE[] SEC("license") = "GPL";
