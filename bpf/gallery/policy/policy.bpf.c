/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Drops or passes packets by who sends them to whom: addresses have identities, and rules are between these.
 *
 * A packet gets the verdict of the rule from its source's identity to its destination's: that of its protocol and port,
 * else that of all protocols. Without either it is a reply where a rule passes what it answers, by identities and
 * ports the other way round; of TCP, a segment that opens a connection is none. All else gets `otherwise`. What is
 * not IP, and IPv6 neighbour discovery, is passed: without it no address is found. Rules and identities may be changed
 * while it runs: then `edition` must be, too, since a packet like an earlier one gets that one's decision.
 */
#include "gallery/headers.bpf.h"

/* Identities are numbers; an address without one has 0. */
struct pair {
	__u32 from;
	__u32 to;
	__u8 protocol; /* 6: TCP, 17: UDP, ...; 0: all */
	__u8 unused;
	__be16 port; /* the destination's; 0 where there is none */
};

struct rule {
	__u32 verdict; /* 1: drop, 2: pass */
	__u32 number;  /* of its own, from 1: its place in `packets` */
};

/* A decision on packets of a kind, of one edition of the policy. */
struct decided {
	__u64 addresses;
	__u32 ports;
	__u16 protocol; /* and beside it, whether it opens a connection */
	__u16 unused;
	__u32 edition; /* 0: none yet */
	__u32 verdict;
	__u32 number; /* of the rule; 0: `otherwise` */
	__u32 unused_too;
};

struct verdict {
	__u64 time; /* ns, of CLOCK_MONOTONIC */
	__u32 from;
	__u32 to;
	__u8 source[16]; /* of IPv4 the first 4 bytes */
	__u8 destination[16];
	__u8 version; /* 4 or 6 */
	__u8 protocol;
	__u8 verdict;  /* 1: drop, 2: pass */
	__u8 decision; /* enum decision */
	__be16 source_port;
	__be16 destination_port;
};

enum decision { BY_OTHERWISE, BY_RULE, AS_REPLY };
enum trace { TRACE_NONE, TRACE_DROPPED, TRACE_ALL };

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct network4);
	__type(value, __u32);
} identities4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct network);
	__type(value, __u32);
} identities6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct pair);
	__type(value, struct rule);
} rules SEC(".maps");

enum { MOST_RULES = 4096, DECIDED_BITS = 10 };

/* Packets by the number of the rule that decided, replies as well; 0: `otherwise`. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MOST_RULES + 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

/* By a hash of the packet's kind; another one takes the place. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << DECIDED_BITS);
	__type(key, __u32);
	__type(value, struct decided);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} verdicts SEC(".maps");

struct verdict *kept_for_its_type __attribute__((unused));

__u32 otherwise = XDP_PASS;
__u32 trace = TRACE_NONE;
__u32 edition = 1; /* of rules and identities, not 0 */
__u64 lost;        /* verdicts that found no room */

static __always_inline __u32 identity4(const void *address)
{
	struct network4 network = { .prefix = 32 };
	const __u32 *identity;

	__builtin_memcpy(network.address, address, sizeof(network.address));
	identity = bpf_map_lookup_elem(&identities4, &network);
	return identity ? *identity : 0;
}

static __always_inline __u32 identity6(const void *address)
{
	struct network network = { .prefix = 128 };
	const __u32 *identity;

	__builtin_memcpy(network.address, address, sizeof(network.address));
	identity = bpf_map_lookup_elem(&identities6, &network);
	return identity ? *identity : 0;
}

static __always_inline struct rule *rule_between(__u32 from, __u32 to, __u8 protocol, __be16 port)
{
	struct pair pair = { .from = from, .to = to, .protocol = protocol, .port = port };
	struct rule *rule = bpf_map_lookup_elem(&rules, &pair);

	if (rule)
		return rule;
	pair.protocol = 0;
	pair.port = 0;
	return bpf_map_lookup_elem(&rules, &pair);
}

/* Whether it is a segment of TCP that opens a connection: SYN without ACK. */
static __always_inline bool opens(struct xdp_md *context, const struct headers *headers)
{
	__u8 flags = 0;

	if (headers->protocol != IPPROTO_TCP)
		return false;
	return !headers->has_ports || !read(context, headers->transport + 13, &flags, sizeof(flags)) ||
	       (flags & 0x12) == 0x02;
}

/* Router and neighbour solicitations and advertisements, and redirects. */
static __always_inline bool is_discovery(struct xdp_md *context, const struct headers *headers)
{
	__u8 type = 0;

	return headers->protocol == IPPROTO_ICMPV6 && headers->type == bpf_htons(ETH_P_IPV6) &&
	       headers->transport && !headers->is_later_fragment &&
	       read(context, headers->transport, &type, sizeof(type)) && type >= 133 && type <= 137;
}

static __always_inline void tell(const struct headers *headers, __u32 from, __u32 to, __u32 verdict, __u8 decision)
{
	const bool is_ipv4 = headers->type == bpf_htons(ETH_P_IP);
	struct verdict *told = bpf_ringbuf_reserve(&verdicts, sizeof(*told), 0);

	if (!told) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	__builtin_memset(told, 0, sizeof(*told));
	told->time = bpf_ktime_get_ns();
	told->from = from;
	told->to = to;
	told->version = is_ipv4 ? 4 : 6;
	told->protocol = headers->protocol;
	told->verdict = verdict;
	told->decision = decision;
	told->source_port = headers->ports.source;
	told->destination_port = headers->ports.destination;
	if (is_ipv4) {
		__builtin_memcpy(told->source, &headers->ipv4.source, sizeof(headers->ipv4.source));
		__builtin_memcpy(told->destination, &headers->ipv4.destination, sizeof(headers->ipv4.destination));
	} else {
		__builtin_memcpy(told->source, &headers->ipv6.source, sizeof(headers->ipv6.source));
		__builtin_memcpy(told->destination, &headers->ipv6.destination, sizeof(headers->ipv6.destination));
	}
	bpf_ringbuf_submit(told, 0);
}

static __always_inline int finish(__u32 verdict, __u32 number)
{
	__u64 *counted = bpf_map_lookup_elem(&packets, &number);

	if (counted)
		*counted += 1;
	if (!number)
		verdict = otherwise;
	return verdict == XDP_DROP ? XDP_DROP : XDP_PASS;
}

/* Looks up identities and rules; returns whether there is anything to decide. */
static __always_inline bool decide(struct xdp_md *context, struct decided *to)
{
	__u8 decision = BY_RULE;
	struct headers headers;
	struct rule *rule;
	__u32 first, second;

	find_headers(context, &headers);
	if (!headers.network || is_discovery(context, &headers))
		return false;
	if (headers.type == bpf_htons(ETH_P_IP)) {
		first = identity4(&headers.ipv4.source);
		second = identity4(&headers.ipv4.destination);
	} else {
		first = identity6(&headers.ipv6.source);
		second = identity6(&headers.ipv6.destination);
	}
	rule = rule_between(first, second, headers.protocol, headers.ports.destination);
	if (!rule && !opens(context, &headers)) {
		rule = rule_between(second, first, headers.protocol, headers.ports.source);
		if (rule && rule->verdict == XDP_DROP)
			rule = NULL;
		decision = AS_REPLY;
	}
	if (!rule)
		decision = BY_OTHERWISE;
	to->verdict = (rule ? rule->verdict : otherwise) == XDP_DROP ? XDP_DROP : XDP_PASS;
	to->number = rule ? rule->number : 0;
	if (trace == TRACE_ALL || (trace == TRACE_DROPPED && to->verdict == XDP_DROP))
		tell(&headers, first, second, to->verdict, decision);
	return true;
}

/* Says what kind a packet is of, where all headers are in their usual places. */
static __always_inline bool find_kind(struct xdp_md *context, struct decided *kind)
{
	const __u8 *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	const __u8 *flags = data + sizeof(struct ethhdr) + sizeof(struct iphdr) + 13;
	struct headers headers;

	if (!find_usual(context, &headers))
		return false;
	kind->addresses = (__u64)headers.ipv4.source << 32 | headers.ipv4.destination;
	kind->ports = (__u32)headers.ports.source << 16 | headers.ports.destination;
	kind->protocol = headers.protocol;
	if (headers.protocol != IPPROTO_TCP)
		return true;
	if (flags + 1 > end)
		return false;
	kind->protocol |= (*flags & 0x12) << 8;
	return true;
}

SEC("xdp.frags")
int policy(struct xdp_md *context)
{
	struct decided now = { .edition = edition }; /* before rules are read */
	struct decided *before = NULL;
	__u32 place;

	if (trace == TRACE_NONE && find_kind(context, &now)) {
		place = ((now.addresses ^ (__u64)now.ports << 16 ^ now.protocol) * 0x9e3779b97f4a7c15) >>
			(64 - DECIDED_BITS);
		before = bpf_map_lookup_elem(&recent, &place);
		if (before && before->edition == now.edition && before->addresses == now.addresses &&
		    before->ports == now.ports && before->protocol == now.protocol)
			return finish(before->verdict, before->number);
	}
	if (!decide(context, &now))
		return XDP_PASS;
	if (before)
		*before = now;
	return finish(now.verdict, now.number);
}

char LICENSE[] SEC("license") = "GPL";
