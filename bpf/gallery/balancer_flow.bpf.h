/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What service a packet is to, and what connection it is of: also an ICMP error on one.
 */
#ifndef XDPLAB_GALLERY_BALANCER_FLOW_H
#define XDPLAB_GALLERY_BALANCER_FLOW_H

#include "gallery/balancer_maps.bpf.h"

/* Of both versions; linux/icmp.h includes headers of the C library. */
struct icmp {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 rest;
};

/* What a packet is of, seen from the client. */
struct flow {
	struct virtual to;
	__be32 source[4];
	__be16 port;
	bool is_error; /* of ICMP, on a packet of this flow */
};

static __always_inline bool is_ipv4(const struct headers *headers)
{
	return headers->type == bpf_htons(ETH_P_IP);
}

static __always_inline void copy_address(__be32 *to, const struct in6_addr *from)
{
	__builtin_memcpy(to, from, sizeof(*from));
}

static __always_inline bool are_equal(const struct in6_addr *one, const struct in6_addr *other)
{
	__u32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= one->in6_u.u6_addr32[i] ^ other->in6_u.u6_addr32[i];
	return !differ;
}

static __always_inline bool is_balanced(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* Of an ICMP error: the packet that it is on was one of the service's to the client. */
static __always_inline bool find_flow_of_error4(struct xdp_md *context, const struct headers *headers,
						struct flow *flow)
{
	struct ports ports;
	struct icmp icmp;
	struct iphdr ip;

	if (!read(context, headers->transport, &icmp, sizeof(icmp)) ||
	    (icmp.type != 3 && icmp.type != 11 && icmp.type != 12)) /* unreachable, time exceeded, parameter problem */
		return false;
	if (!read(context, headers->transport + sizeof(icmp), &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
	    ip.frag_off & bpf_htons(0x1fff) || ip.saddr != headers->ipv4.destination || !is_balanced(ip.protocol))
		return false;
	if (!read(context, headers->transport + sizeof(icmp) + ip.ihl * 4, &ports, sizeof(ports)))
		return false;
	flow->to.protocol = ip.protocol;
	flow->to.port = ports.source;
	flow->source[0] = ip.daddr;
	flow->port = ports.destination;
	return true;
}

/* Those of the packets of a service have no extension headers, or are not found. */
static __always_inline bool find_flow_of_error6(struct xdp_md *context, const struct headers *headers,
						struct flow *flow)
{
	struct ports ports;
	struct icmp icmp;
	struct ipv6hdr ip;

	if (!read(context, headers->transport, &icmp, sizeof(icmp)) || icmp.type < 1 || icmp.type > 4) /* all errors */
		return false;
	if (!read(context, headers->transport + sizeof(icmp), &ip, sizeof(ip)) || ip.version != 6 ||
	    !are_equal(&ip.saddr, &headers->ipv6.destination) || !is_balanced(ip.nexthdr))
		return false;
	if (!read(context, headers->transport + sizeof(icmp) + sizeof(ip), &ports, sizeof(ports)))
		return false;
	flow->to.protocol = ip.nexthdr;
	flow->to.port = ports.source;
	copy_address(flow->source, &ip.daddr);
	flow->port = ports.destination;
	return true;
}

static __always_inline bool find_flow(struct xdp_md *context, const struct headers *headers, struct flow *flow)
{
	if (headers->has_ports) {
		flow->to.protocol = headers->protocol;
		flow->to.port = headers->ports.destination;
		flow->port = headers->ports.source;
		if (is_ipv4(headers))
			flow->source[0] = headers->ipv4.source;
		else
			copy_address(flow->source, &headers->ipv6.source);
		return true;
	}
	if (!headers->transport)
		return false;
	flow->is_error = true;
	if (is_ipv4(headers))
		return headers->protocol == IPPROTO_ICMP && find_flow_of_error4(context, headers, flow);
	return headers->protocol == IPPROTO_ICMPV6 && find_flow_of_error6(context, headers, flow);
}

static __always_inline __u32 ports_of(const struct flow *flow)
{
	return (__u32)flow->port << 16 | flow->to.port;
}

static __always_inline struct connection4 connection4(const struct flow *flow)
{
	return (struct connection4){
		.source = flow->source[0],
		.destination = flow->to.address[0],
		.ports = ports_of(flow),
		.protocol = flow->to.protocol,
	};
}

static __always_inline struct connection6 connection6(const struct flow *flow)
{
	struct connection6 connection = {
		.ports = ports_of(flow),
		.protocol = flow->to.protocol,
	};

	__builtin_memcpy(connection.source, flow->source, sizeof(connection.source));
	__builtin_memcpy(connection.destination, flow->to.address, sizeof(connection.destination));
	return connection;
}

/* Returns where the packets of a connection go; NULL: it is not known. */
static __always_inline struct place *find_place(const struct flow *flow)
{
	if (flow->to.version == 4) {
		const struct connection4 connection = connection4(flow);

		return bpf_map_lookup_elem(&connections4, &connection);
	} else {
		const struct connection6 connection = connection6(flow);

		return bpf_map_lookup_elem(&connections6, &connection);
	}
}

static __always_inline void remember(const struct flow *flow, const struct place *place)
{
	if (flow->to.version == 4) {
		const struct connection4 connection = connection4(flow);

		bpf_map_update_elem(&connections4, &connection, place, BPF_ANY);
	} else {
		const struct connection6 connection = connection6(flow);

		bpf_map_update_elem(&connections6, &connection, place, BPF_ANY);
	}
}

/* Mixes each word into all bits: neighbouring clients and ports go anywhere. The same for all balancers. */
static __always_inline __u32 hash_of(const struct flow *flow, __u32 service)
{
	__u64 hash = flow->port | service << 16;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ flow->source[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	hash *= 0xd6e8feb86659fd93;
	return hash >> 32;
}

#endif
