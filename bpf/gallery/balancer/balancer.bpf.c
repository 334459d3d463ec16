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
#include "gallery/balancer_wrap.bpf.h"

/* How a packet's connection was found. */
enum kind { OPENED, CONTINUED, UNKNOWN };

struct choice {
	__u32 service;
	__u32 server;
	enum kind kind;
	bool had_place; /* the connection was known, even if its server is gone */
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
