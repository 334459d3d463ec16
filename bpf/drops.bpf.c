/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Why the kernel drops packets of chosen interfaces: in the stack, after an XDP program's verdict, and where an XDP
 * program redirected them. It runs only where a packet is dropped.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "include/program_maps.h"

/* The kernel's types, as far as they are read: libbpf finds the members in those of the running one. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct net_device {
	int ifindex;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct drop_place);
	__type(value, __u32);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct drop);
	__type(value, __u64);
} drops SEC(".maps");

static void count(const struct net_device *device, __u32 kind, __s32 cause)
{
	struct drop drop = { .kind = kind, .cause = cause };
	const __u64 first = 1;
	__u64 *counted;

	if (!device)
		return;
	drop.place.network = BPF_CORE_READ(device, nd_net.net, ns.inum);
	drop.place.interface = BPF_CORE_READ(device, ifindex);
	if (!bpf_map_lookup_elem(&places, &drop.place))
		return;
	counted = bpf_map_lookup_elem(&drops, &drop);
	if (counted)
		++*counted;
	else
		bpf_map_update_elem(&drops, &drop, &first, BPF_NOEXIST);
}

/* include/trace/events/skb.h: skb, location, reason (Linux 5.17). */
SEC("raw_tp/kfree_skb")
int by_stack(struct bpf_raw_tracepoint_args *context)
{
	const struct sk_buff *packet = (void *)context->args[0];

	count(BPF_CORE_READ(packet, dev), DROPPED_BY_STACK, (__s32)context->args[2]);
	return 0;
}

/* include/trace/events/xdp.h: device, program, verdict. */
SEC("raw_tp/xdp_exception")
int by_xdp(struct bpf_raw_tracepoint_args *context)
{
	count((void *)context->args[0], DROPPED_BY_XDP, (__s32)context->args[2]);
	return 0;
}

/* The same: device, program, target, error. */
SEC("raw_tp/xdp_redirect_err")
int by_redirect(struct bpf_raw_tracepoint_args *context)
{
	count((void *)context->args[0], DROPPED_BY_REDIRECT, (__s32)context->args[3]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
