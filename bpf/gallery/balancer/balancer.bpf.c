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
	__u32 server;
	enum kind kind;
};

/* What a packet is wrapped in: an IP header, and for GUE a UDP header behind it. */
union wrapping {
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} v4;
	struct {
		struct ipv6hdr ip;
		struct udphdr udp;
	} v6;
};

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

/* Returns the server of a packet; NULL where there is none, which is counted. */
static __always_inline struct server *choose(struct xdp_md *context, const struct headers *headers,
					     const struct flow *flow, const struct service *service, __u32 hash,
					     struct service_count *count, struct choice *choice)
{
	const bool is_first = !flow->is_error && opens(context, headers);
	struct place *known = bpf_map_lookup_elem(&connections, &flow->connection);
	struct place place = { 0 };
	struct server *server;
	__u32 entry, *chosen;

	if (known) {
		choice->server = known->server;
		server = bpf_map_lookup_elem(&servers, &choice->server);
		/* A first packet may come twice: it stays where it went. After others it is of a new connection. */
		if (server && server->generation == known->generation &&
		    !(is_first && (known->begun || server->draining))) {
			if (!is_first && !flow->is_error && !known->begun)
				known->begun = true;
			choice->kind = is_first ? OPENED : CONTINUED;
			return server;
		}
	}
	entry = service->table * TABLE_SIZE + ((__u64)hash * TABLE_SIZE >> 32);
	chosen = bpf_map_lookup_elem(&tables, &entry);
	if (!chosen)
		return NULL;
	choice->server = *chosen;
	server = bpf_map_lookup_elem(&servers, &choice->server);
	if (!server || !server->generation) {
		count->unserved++;
		return NULL;
	}
	if (flow->is_error)
		return server;
	choice->kind = is_first || (headers->protocol == IPPROTO_UDP && !known) ? OPENED : UNKNOWN;
	place.server = choice->server;
	place.begun = !is_first;
	place.generation = server->generation;
	bpf_map_update_elem(&connections, &flow->connection, &place, BPF_ANY);
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

static __always_inline void fill_ipv4(struct iphdr *ip, const struct server *server, const struct inner *inner,
				      __u32 length)
{
	const __u16 *halves = (const void *)ip;
	__u32 sum = 0;

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = inner->traffic_class;
	ip->tot_len = bpf_htons(length);
	ip->frag_off = bpf_htons(0x4000); /* not to be cut: so it needs no identification */
	ip->ttl = HOPS;
	ip->protocol = server->gue ? IPPROTO_UDP : inner->protocol;
	ip->saddr = source4;
	ip->daddr = server->address[0];
#pragma unroll
	for (unsigned int i = 0; i < sizeof(*ip) / sizeof(*halves); i++)
		sum += halves[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline void fill_ipv6(struct ipv6hdr *ip, const struct server *server, const struct inner *inner,
				      __u32 hash, __u32 length)
{
	const __be32 first = bpf_htonl(6U << 28 | (__u32)inner->traffic_class << 20 | (hash & 0xfffff));

	__builtin_memcpy(ip, &first, sizeof(first));
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = server->gue ? IPPROTO_UDP : inner->protocol;
	ip->hop_limit = HOPS;
	__builtin_memcpy(&ip->saddr, source6, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, server->address, sizeof(ip->daddr));
}

static __always_inline bool has_gateway(void)
{
	__u8 all = 0;

#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		all |= gateway[i];
	return all;
}

static __always_inline void fill_link(struct ethhdr *link)
{
	struct ethhdr before = *link;

	if (has_gateway())
		__builtin_memcpy(link->h_dest, gateway, ETH_ALEN);
	else
		__builtin_memcpy(link->h_dest, before.h_source, ETH_ALEN);
	__builtin_memcpy(link->h_source, before.h_dest, ETH_ALEN);
}

/* As wrap_behind_tags, in place. */
static __always_inline bool wrap_usual(struct xdp_md *context, const void *wrapping, const __u32 size, __be16 type)
{
	struct ethhdr *link = (void *)(long)context->data, moved;

	if ((void *)(link + 1) > (void *)(long)context->data_end)
		return false;
	moved = *link;
	fill_link(&moved);
	moved.h_proto = type;
	if (bpf_xdp_adjust_head(context, -(int)size))
		return false;
	link = (void *)(long)context->data;
	if ((void *)(link + 1) + size > (void *)(long)context->data_end)
		return false;
	*link = moved;
	__builtin_memcpy(link + 1, wrapping, size);
	return true;
}

/* Puts a wrapping of `size` bytes between the link header, whose tags stay, and the packet. */
static __always_inline bool wrap_behind_tags(struct xdp_md *context, __u32 size_of_link, void *wrapping,
					     const __u32 size, __be16 type)
{
	union {
		__u8 bytes[LONGEST_LINK_HEADER];
		struct ethhdr link;
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

static __always_inline bool wrap(struct xdp_md *context, __u32 size_of_link, void *wrapping, const __u32 size,
				 __be16 type)
{
	return size_of_link == sizeof(struct ethhdr) ?
		       wrap_usual(context, wrapping, size, type) :
		       wrap_behind_tags(context, size_of_link, wrapping, size, type);
}

static __always_inline bool send4(struct xdp_md *context, __u32 link, const struct server *server,
				  const struct inner *inner, __u32 hash)
{
	union wrapping wrapping = { 0 };
	const __be16 type = bpf_htons(ETH_P_IP);

	if (!server->gue) {
		fill_ipv4(&wrapping.v4.ip, server, inner, sizeof(wrapping.v4.ip) + inner->length);
		return wrap(context, link, &wrapping, sizeof(wrapping.v4.ip), type);
	}
	fill_ipv4(&wrapping.v4.ip, server, inner, sizeof(wrapping.v4) + inner->length);
	fill_udp(&wrapping.v4.udp, hash, sizeof(wrapping.v4.udp) + inner->length);
	return wrap(context, link, &wrapping, sizeof(wrapping.v4), type);
}

static __always_inline bool send6(struct xdp_md *context, __u32 link, const struct server *server,
				  const struct inner *inner, __u32 hash)
{
	union wrapping wrapping = { 0 };
	const __be16 type = bpf_htons(ETH_P_IPV6);

	if (!server->gue) {
		fill_ipv6(&wrapping.v6.ip, server, inner, hash, inner->length);
		return wrap(context, link, &wrapping, sizeof(wrapping.v6.ip), type);
	}
	fill_ipv6(&wrapping.v6.ip, server, inner, hash, sizeof(wrapping.v6.udp) + inner->length);
	fill_udp(&wrapping.v6.udp, hash, sizeof(wrapping.v6.udp) + inner->length);
	return wrap(context, link, &wrapping, sizeof(wrapping.v6), type);
}

static __always_inline __u32 wrapping_of(const struct server *server)
{
	return (server->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
	       (server->gue ? sizeof(struct udphdr) : 0);
}

/* Sends a packet of a service to its server. */
static __always_inline int serve(struct xdp_md *context, const struct headers *headers, struct flow *flow,
				 const struct service *service)
{
	struct service_count *count = bpf_map_lookup_elem(&service_counts, &service->number);
	struct inner inner = { .protocol = is_ipv4(headers) ? IPPROTO_IPIP : IPPROTO_IPV6 };
	struct choice choice = { 0 };
	struct server_count *served;
	struct server *server;
	bool is_sent;
	__u32 hash;

	if (!count || !measure(context, headers, &inner))
		return pass();
	flow->connection.service = service->number;
	hash = hash_of(&flow->connection);
	server = choose(context, headers, flow, service, hash, count, &choice);
	if (!server)
		return XDP_DROP;
	served = bpf_map_lookup_elem(&server_counts, &choice.server);
	if (!served)
		return XDP_ABORTED;
	if (inner.length + wrapping_of(server) > mtu) {
		count->too_long++;
		return XDP_DROP;
	}
	is_sent = server->version == 4 ? send4(context, headers->network, server, &inner, hash) :
					 send6(context, headers->network, server, &inner, hash);
	if (!is_sent)
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
	struct service *service;

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
	if (!find_flow(context, &headers, &flow))
		return pass();
	service = bpf_map_lookup_elem(&services, &flow.to);
	return service ? serve(context, &headers, &flow, service) : pass();
}

char LICENSE[] SEC("license") = "GPL";
