/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Wraps an IP packet into another one, of the balancer to a server: IP in IP, or generic UDP encapsulation.
 */
#ifndef XDPLAB_GALLERY_BALANCER_WRAP_H
#define XDPLAB_GALLERY_BALANCER_WRAP_H

#include "gallery/balancer_flow.bpf.h"
#include "gallery/balancer_maps.bpf.h"

#include <linux/udp.h>

enum {
	LONGEST_LINK_HEADER = sizeof(struct ethhdr) + MOST_TAGS * sizeof(struct tag),
	HOPS = 64,
};

/* The IP packet that goes to a server. */
struct inner {
	__u16 length;
	__u8 traffic_class;
	__u8 protocol; /* as an outer packet calls it */
};

/* An Ethernet header by half words: struct ethhdr, which is packed, is copied by bytes. */
struct link {
	__u16 destination[ETH_ALEN / 2];
	__u16 source[ETH_ALEN / 2];
	__be16 type;
};

/* What a packet is wrapped in, and who writes it. */
struct ip4_udp {
	struct iphdr ip;
	struct udphdr udp;
};

struct ip6_udp {
	struct ipv6hdr ip;
	struct udphdr udp;
};

typedef void (*write_wrapping)(void *to, const struct server *server, const struct inner *inner,
			       const struct flow *flow);

/* The first bytes of an IP header. In most packets it lies where it can be read in place, which is quicker. */
static __always_inline bool read_begin(struct xdp_md *context, __u32 network, __u8 begin[8])
{
	const __u8 *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (network != sizeof(struct ethhdr) || data + sizeof(struct ethhdr) + 8 > end)
		return read(context, network, begin, 8);
	__builtin_memcpy(begin, data + sizeof(struct ethhdr), 8);
	return true;
}

/* Traffic class and length of an IP packet; false: it is not all here. */
static __always_inline bool measure(struct xdp_md *context, const struct headers *headers, struct inner *inner)
{
	__u8 begin[8] = { 0 };

	if (!read_begin(context, headers->network, begin))
		return false;
	if (is_ipv4(headers)) {
		inner->traffic_class = begin[1];
		inner->length = begin[2] << 8 | begin[3];
	} else {
		inner->traffic_class = begin[0] << 4 | begin[1] >> 4;
		inner->length = sizeof(struct ipv6hdr) + (begin[4] << 8 | begin[5]);
	}
	return headers->network + inner->length <= bpf_xdp_get_buff_len(context);
}

static __always_inline void fill_udp(struct udphdr *udp, __u32 hash, __u32 length)
{
	/* A source port of the dynamic range for each flow: the server's card spreads them over its queues. */
	udp->source = bpf_htons(0xc000 | (hash & 0x3fff));
	udp->dest = bpf_htons(gue_port);
	udp->len = bpf_htons(length);
	udp->check = 0; /* what is inside has its own (RFC 6935) */
}

/* Written by words, as is what it is summed from: to read again what was written by bytes takes longer than all else. */
static __always_inline void fill_ipv4(struct iphdr *ip, const struct server *server, const struct inner *inner,
				      __u8 protocol, __u32 length)
{
	enum { NOT_TO_BE_CUT = 0x4000 }; /* so it needs no identification */
	const __u32 words[] = {
		(4 << 4 | sizeof(*ip) / 4) << 24 | inner->traffic_class << 16 | length,
		NOT_TO_BE_CUT,
		HOPS << 24 | protocol << 16,
		bpf_ntohl(source4),
		bpf_ntohl(server->address[0]),
	};
	__be32 *to = (void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 5; i++)
		sum += (words[i] >> 16) + (words[i] & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
#pragma unroll
	for (int i = 0; i < 5; i++)
		to[i] = bpf_htonl(i == 2 ? words[i] | sum : words[i]);
}

static __always_inline void fill_ipv6(struct ipv6hdr *ip, const struct server *server, const struct inner *inner,
				      __u8 protocol, __u32 hash, __u32 length)
{
	const __be32 first = bpf_htonl(6U << 28 | (__u32)inner->traffic_class << 20 | (hash & 0xfffff));

	__builtin_memcpy(ip, &first, sizeof(first));
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = protocol;
	ip->hop_limit = HOPS;
	__builtin_memcpy(&ip->saddr, source6, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, server->address, sizeof(ip->daddr));
}

static __always_inline void write_ip4(void *to, const struct server *server, const struct inner *inner,
				      const struct flow *flow)
{
	struct iphdr *ip = to;

	(void)flow;
	fill_ipv4(ip, server, inner, inner->protocol, sizeof(*ip) + inner->length);
}

static __always_inline void write_ip4_udp(void *to, const struct server *server, const struct inner *inner,
					  const struct flow *flow)
{
	struct ip4_udp *outer = to;

	fill_ipv4(&outer->ip, server, inner, IPPROTO_UDP, sizeof(*outer) + inner->length);
	fill_udp(&outer->udp, hash_of(flow, server->service), sizeof(outer->udp) + inner->length);
}

static __always_inline void write_ip6(void *to, const struct server *server, const struct inner *inner,
				      const struct flow *flow)
{
	fill_ipv6(to, server, inner, inner->protocol, hash_of(flow, server->service), inner->length);
}

static __always_inline void write_ip6_udp(void *to, const struct server *server, const struct inner *inner,
					  const struct flow *flow)
{
	const __u32 hash = hash_of(flow, server->service);
	struct ip6_udp *outer = to;

	fill_ipv6(&outer->ip, server, inner, IPPROTO_UDP, hash, sizeof(outer->udp) + inner->length);
	fill_udp(&outer->udp, hash, sizeof(outer->udp) + inner->length);
}

static __always_inline void fill_link(struct link *link)
{
	const struct link before = *link;
	__u16 to[ETH_ALEN / 2];

	__builtin_memcpy(to, gateway, sizeof(to));
	__builtin_memcpy(link->destination, to[0] | to[1] | to[2] ? to : before.source, sizeof(to));
	__builtin_memcpy(link->source, before.destination, sizeof(link->source));
}

/* Makes room of `size` bytes behind a link header without tags; returns it, or NULL. */
static __always_inline void *make_room(struct xdp_md *context, const __u32 size, __be16 type)
{
	struct link *link = (void *)(long)context->data, moved;

	if ((void *)(link + 1) > (void *)(long)context->data_end)
		return NULL;
	moved = *link;
	fill_link(&moved);
	moved.type = type;
	if (bpf_xdp_adjust_head(context, -(int)size))
		return NULL;
	link = (void *)(long)context->data;
	if ((void *)(link + 1) + size > (void *)(long)context->data_end)
		return NULL;
	*link = moved;
	return link + 1;
}

/* The same behind tags, which stay, with what is to stand there. */
static __always_inline bool wrap_behind_tags(struct xdp_md *context, __u32 size_of_link, void *wrapping,
					     const __u32 size, __be16 type)
{
	union {
		__u8 bytes[LONGEST_LINK_HEADER];
		struct link link;
	} moved = { 0 };

	/* The verifier has to see the bounds here. */
	if (size_of_link < sizeof(moved.link) || size_of_link > sizeof(moved.bytes) ||
	    !read(context, 0, moved.bytes, size_of_link))
		return false;
	fill_link(&moved.link);
	return !bpf_xdp_adjust_head(context, -(int)size) && write(context, 0, moved.bytes, size_of_link) &&
	       write(context, size_of_link - sizeof(type), &type, sizeof(type)) &&
	       write(context, size_of_link, wrapping, size);
}

/* Puts a wrapping of `size` bytes between the link header and the packet. */
static __always_inline bool wrap(struct xdp_md *context, __u32 size_of_link, const __u32 size, __be16 type,
				 write_wrapping write_to, const struct server *server, const struct inner *inner,
				 const struct flow *flow)
{
	struct ip6_udp longest = { 0 };
	void *room;

	if (size_of_link != sizeof(struct ethhdr)) {
		write_to(&longest, server, inner, flow);
		return wrap_behind_tags(context, size_of_link, &longest, size, type);
	}
	room = make_room(context, size, type);
	if (room)
		write_to(room, server, inner, flow);
	return room;
}

static __always_inline bool send(struct xdp_md *context, __u32 link, const struct server *server,
				 const struct inner *inner, const struct flow *flow)
{
	const __be16 ip4 = bpf_htons(ETH_P_IP), ip6 = bpf_htons(ETH_P_IPV6);

	if (server->version == 4)
		return server->gue ? wrap(context, link, sizeof(struct ip4_udp), ip4, write_ip4_udp, server, inner, flow) :
				     wrap(context, link, sizeof(struct iphdr), ip4, write_ip4, server, inner, flow);
	return server->gue ? wrap(context, link, sizeof(struct ip6_udp), ip6, write_ip6_udp, server, inner, flow) :
			     wrap(context, link, sizeof(struct ipv6hdr), ip6, write_ip6, server, inner, flow);
}

static __always_inline __u32 wrapping_of(const struct server *server)
{
	return (server->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
	       (server->gue ? sizeof(struct udphdr) : 0);
}

#endif
