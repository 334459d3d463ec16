/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Carries the frames of separate networks over one wire, each in Geneve (RFC 8926) with its network's number.
 *
 * Attach it to all interfaces of a node. What comes in by an interface of a network's host is encapsulated and sent to
 * the node that has the frame's destination, or handed to another interface of the network here. What comes in by the
 * wire, to this node and in Geneve, is decapsulated and handed to the network's host. Networks may have the same
 * addresses: nothing is looked up without the network's number. UDP's checksum is left out, as IPv4 allows; Geneve with
 * one, or with options, and all else that comes in by the wire is passed to the stack.
 */
#include "gallery/headers.bpf.h"

#include <linux/udp.h>

enum { GENEVE_PORT = 6081, ETHERNET_IN_GENEVE = 0x6558, CONTROL = 0x80 };

struct geneve {
	__u8 version_and_length; /* of options, in words */
	__u8 flags;
	__be16 type;
	__be32 number; /* of the network, in the upper 24 bits */
};

struct outer {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	struct geneve geneve;
} __attribute__((packed));

/* For whom a frame is. Its address is 0 where it is for a group. */
struct address {
	__u32 network; /* its number */
	__u8 mac[6];
	__u8 side; /* enum side */
	__u8 unused;
};

enum side { TO_HOST, TO_GROUP_FROM_HOST, TO_GROUP_FROM_WIRE };

struct place {
	__u32 interface; /* that the frame is sent out of */
	__be32 from;     /* outer addresses; 0: the host is at this node */
	__be32 to;
	__u8 mac[6];      /* of the wire's interface here */
	__u8 next_mac[6]; /* of the node, or of a router on the way */
};

/* By interface: the number of the network whose host is there. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct address);
	__type(value, struct place);
} places SEC(".maps");

__be32 node; /* the address of this node, on the wire */
__u64 encapsulated;
__u64 decapsulated;
__u64 switched; /* from host to host, at this node */
__u64 unknown;  /* dropped: no place for this network's address */
__u64 too_long; /* dropped: for the wire, with 50 bytes more, or for the host's interface */
__u64 broken;   /* dropped: cut off */

static __always_inline int drop(__u64 *count)
{
	__sync_fetch_and_add(count, 1);
	return XDP_DROP;
}

static __always_inline struct place *place_of(__u32 network, const __u8 *mac, __u8 from)
{
	struct address address = { .network = network };

	if (mac[0] & 1)
		address.side = from;
	else
		__builtin_memcpy(address.mac, mac, sizeof(address.mac));
	return bpf_map_lookup_elem(&places, &address);
}

/* Whether an IP packet of so many bytes fits an interface. */
static __always_inline bool fits(struct xdp_md *context, __u32 interface, __u32 length)
{
	return !bpf_check_mtu(context, interface, &length, 0, 0);
}

/* The same for all packets of a flow, so that they stay in order on the way. */
static __always_inline __be16 source_port(struct xdp_md *context)
{
	struct headers headers;
	__u32 hash;

	find_headers(context, &headers);
	hash = headers.ports.source ^ headers.ports.destination ^ headers.ipv6.source.in6_u.u6_addr32[0] ^
	       headers.ipv6.source.in6_u.u6_addr32[3] ^ headers.ipv6.destination.in6_u.u6_addr32[3];
	return bpf_htons(0xc000 | ((hash * 0x9e3779b1) >> 18));
}

static __always_inline __u16 checksum(const struct iphdr *ip)
{
	const __u16 *words = (const void *)ip;
	__u32 sum = 0;

	for (__u32 i = 0; i < sizeof(*ip) / sizeof(*words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static __always_inline int encapsulate(struct xdp_md *context, __u32 network)
{
	const __u32 length = bpf_xdp_get_buff_len(context);
	const __u32 payload = length + sizeof(struct udphdr) + sizeof(struct geneve);
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct outer outer = { 0 };
	struct ethhdr ethernet;
	struct outer *start;
	struct place *place;

	if (!read(context, 0, &ethernet, sizeof(ethernet)))
		return drop(&broken);
	place = place_of(network, ethernet.h_dest, TO_GROUP_FROM_HOST);
	if (!place || place->interface == context->ingress_ifindex)
		return drop(&unknown);
	if (!place->to) {
		if (!fits(context, place->interface, length - sizeof(ethernet)))
			return drop(&too_long);
		__sync_fetch_and_add(&switched, 1);
		return bpf_redirect(place->interface, 0);
	}
	if (!fits(context, place->interface, payload + sizeof(ip)))
		return drop(&too_long);
	__builtin_memcpy(outer.ethernet.h_dest, place->next_mac, ETH_ALEN);
	__builtin_memcpy(outer.ethernet.h_source, place->mac, ETH_ALEN);
	outer.ethernet.h_proto = bpf_htons(ETH_P_IP);
	ip.tot_len = bpf_htons(payload + sizeof(ip));
	ip.frag_off = bpf_htons(0x4000); /* not to be cut */
	ip.saddr = place->from;
	ip.daddr = place->to;
	ip.check = checksum(&ip);
	outer.ip = ip;
	outer.udp.source = source_port(context);
	outer.udp.dest = bpf_htons(GENEVE_PORT);
	outer.udp.len = bpf_htons(payload);
	outer.geneve.type = bpf_htons(ETHERNET_IN_GENEVE);
	outer.geneve.number = bpf_htonl(network << 8);
	if (bpf_xdp_adjust_head(context, -(int)sizeof(outer)))
		return XDP_ABORTED;
	start = (void *)(long)context->data;
	if ((void *)(start + 1) > (void *)(long)context->data_end)
		return XDP_ABORTED;
	*start = outer;
	__sync_fetch_and_add(&encapsulated, 1);
	return bpf_redirect(place->interface, 0);
}

static __always_inline int decapsulate(struct xdp_md *context)
{
	const struct outer *outer = (void *)(long)context->data;
	const struct ethhdr *inner = (const void *)(outer + 1);
	const void *end = (void *)(long)context->data_end;
	const __u32 length = bpf_xdp_get_buff_len(context);
	struct place *place;

	if ((const void *)(outer + 1) > end || outer->ethernet.h_dest[0] & 1 ||
	    outer->ethernet.h_proto != bpf_htons(ETH_P_IP) || outer->ip.version != 4 || outer->ip.ihl != 5 ||
	    outer->ip.protocol != IPPROTO_UDP || outer->ip.frag_off & bpf_htons(0x3fff) ||
	    outer->ip.daddr != node || outer->udp.dest != bpf_htons(GENEVE_PORT) || outer->udp.check ||
	    outer->geneve.version_and_length || outer->geneve.flags & CONTROL ||
	    outer->geneve.type != bpf_htons(ETHERNET_IN_GENEVE))
		return XDP_PASS;
	if ((const void *)(inner + 1) > end || bpf_ntohs(outer->ip.tot_len) + sizeof(struct ethhdr) != length ||
	    bpf_ntohs(outer->udp.len) + sizeof(struct ethhdr) + sizeof(struct iphdr) != length)
		return drop(&broken);
	place = place_of(bpf_ntohl(outer->geneve.number) >> 8, inner->h_dest, TO_GROUP_FROM_WIRE);
	if (!place || place->to)
		return drop(&unknown);
	if (!fits(context, place->interface, length - sizeof(*outer) - sizeof(*inner)))
		return drop(&too_long);
	if (bpf_xdp_adjust_head(context, sizeof(*outer)))
		return XDP_ABORTED;
	__sync_fetch_and_add(&decapsulated, 1);
	return bpf_redirect(place->interface, 0);
}

SEC("xdp.frags")
int overlay(struct xdp_md *context)
{
	__u32 interface = context->ingress_ifindex;
	const __u32 *network = bpf_map_lookup_elem(&ports, &interface);

	return network ? encapsulate(context, *network) : decapsulate(context);
}

char LICENSE[] SEC("license") = "GPL";
