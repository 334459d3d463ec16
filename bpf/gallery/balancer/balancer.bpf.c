/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Spreads connections to virtual addresses over servers, and keeps each at its server, as Katran does.
 *
 * A packet goes to the server of its connection; the first one to that which the service's Maglev table has at its
 * hash. It is wrapped into another IP packet, of the balancer to the server, and sent to the gateway. The server unwraps
 * it, and answers the client itself. Tables and servers are Python's to write: class Balancer.
 */
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

/* How a packet's connection was found. */
enum kind { OPENED, CONTINUED, UNKNOWN };

struct choice {
	__u32 service;
	__u32 server;
	enum kind kind;
	bool had_place; /* the connection was known, even if its server is gone */
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

static __always_inline struct other_count *others(void)
{
	const __u32 only = 0;

	return bpf_map_lookup_elem(&other_counts, &only);
}

static __always_inline int pass(void)
{
	struct other_count *count = others();

	if (count)
		count->passed++;
	return XDP_PASS;
}

static __always_inline bool opens(struct xdp_md *context, const struct headers *headers)
{
	enum { USUAL = sizeof(struct ethhdr) + sizeof(struct iphdr), FLAGS = 13, SYN = 2, ACK = 16 };
	const __u8 *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	__u8 flags = 0;

	if (headers->protocol != IPPROTO_TCP)
		return false;
	if (headers->transport == USUAL && data + USUAL + FLAGS + 1 <= end)
		flags = data[USUAL + FLAGS];
	else if (!read(context, headers->transport + FLAGS, &flags, sizeof(flags)))
		return false;
	return (flags & (SYN | ACK)) == SYN;
}

/* Returns the server that a packet's connection is at; NULL: it is at none, or begins anew. */
static __always_inline struct server *known_server(const struct flow *flow, bool is_first, struct choice *choice)
{
	struct place *place = find_place(flow);
	struct server *server;

	if (!place)
		return NULL;
	choice->had_place = true;
	choice->server = place->server;
	server = bpf_map_lookup_elem(&servers, &choice->server);
	/* A first packet may come twice: it stays where it went. After others it is of a new connection. */
	if (!server || server->generation != place->generation || (is_first && (place->begun || server->draining)))
		return NULL;
	if (!is_first && !flow->is_error && !place->begun)
		place->begun = true;
	choice->service = server->service;
	choice->kind = is_first ? OPENED : CONTINUED;
	return server;
}

/* Returns the server that a service's table has for a packet, whose connection is there from now on; NULL: none. */
static __always_inline struct server *chosen_server(const struct flow *flow, const struct service *service,
						    bool is_first, struct choice *choice)
{
	const __u32 entry =
		service->table * TABLE_SIZE + ((__u64)hash_of(flow, service->number) * TABLE_SIZE >> 32);
	const __u32 *chosen = bpf_map_lookup_elem(&tables, &entry);
	struct place place = { 0 };
	struct server *server;

	choice->service = service->number;
	if (!chosen)
		return NULL;
	choice->server = *chosen;
	server = bpf_map_lookup_elem(&servers, &choice->server);
	if (!server || !server->generation)
		return NULL;
	if (flow->is_error)
		return server;
	choice->kind = is_first || (flow->to.protocol == IPPROTO_UDP && !choice->had_place) ? OPENED : UNKNOWN;
	place.server = choice->server;
	place.begun = !is_first;
	place.generation = server->generation;
	remember(flow, &place);
	return server;
}

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

/* Sends a packet of a service to its server. */
static __always_inline int serve(struct xdp_md *context, const struct headers *headers, const struct flow *flow)
{
	const bool is_first = !flow->is_error && opens(context, headers);
	struct inner inner = { .protocol = is_ipv4(headers) ? IPPROTO_IPIP : IPPROTO_IPV6 };
	struct choice choice = { 0 };
	struct service_count *count;
	struct server_count *served;
	struct service *service;
	struct server *server;

	if (!measure(context, headers, &inner))
		return pass();
	server = known_server(flow, is_first, &choice);
	if (!server) {
		service = bpf_map_lookup_elem(&services, &flow->to);
		if (!service)
			return pass();
		server = chosen_server(flow, service, is_first, &choice);
	}
	count = bpf_map_lookup_elem(&service_counts, &choice.service);
	if (!count)
		return XDP_ABORTED;
	if (!server) {
		count->unserved++;
		return XDP_DROP;
	}
	if (inner.length + wrapping_of(server) > mtu) {
		count->too_long++;
		return XDP_DROP;
	}
	served = bpf_map_lookup_elem(&server_counts, &choice.server);
	if (!served)
		return XDP_ABORTED;
	if (!send(context, headers->network, server, &inner, flow))
		return XDP_ABORTED;
	if (flow->is_error) {
		count->errors++;
	} else if (choice.kind == OPENED) {
		count->opened++;
		served->connections++;
	} else if (choice.kind == CONTINUED) {
		count->continued++;
	} else {
		count->unknown++;
	}
	count->bytes += inner.length;
	served->packets++;
	served->bytes += inner.length;
	return XDP_TX;
}

/* Parts of a packet have no ports but for the first, so they could not all go to one server. */
static __always_inline int drop_or_pass(struct virtual *to)
{
	struct other_count *count = others();

	to->port = 0;
	to->protocol = 0;
	if (!bpf_map_lookup_elem(&services, to))
		return pass();
	if (count)
		count->fragments++;
	return XDP_DROP;
}

SEC("xdp.frags")
int balancer(struct xdp_md *context)
{
	struct headers headers;
	struct flow flow = { 0 };

	find_headers(context, &headers);
	if (!headers.network)
		return pass();
	if (is_ipv4(&headers)) {
		flow.to.version = 4;
		flow.to.address[0] = headers.ipv4.destination;
	} else {
		flow.to.version = 6;
		copy_address(flow.to.address, &headers.ipv6.destination);
	}
	if (headers.is_fragment)
		return drop_or_pass(&flow.to);
	return find_flow(context, &headers, &flow) ? serve(context, &headers, &flow) : pass();
}

char LICENSE[] SEC("license") = "GPL";
