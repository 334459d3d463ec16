/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Counts packets and bytes by EtherType and IP protocol, and passes them to the stack.
 *
 * Each core has counts of its own, so that no two cores write to the same ones.
 */
#include "gallery/headers.bpf.h"

struct kind {
	__be16 type;   /* the EtherType; 0: cut off, or of too many VLAN tags */
	__u8 protocol; /* of IP; 0: none, or IPv6 hop-by-hop options with nothing behind */
	__u8 unused;
};

struct count {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct kind);
	__type(value, struct count);
} counts SEC(".maps");

SEC("xdp.frags")
int count(struct xdp_md *context)
{
	const __u64 bytes = bpf_xdp_get_buff_len(context);
	const struct count first = { .packets = 1, .bytes = bytes };
	struct headers headers;
	struct kind kind = { 0 };
	struct count *counted;

	find_headers(context, &headers);
	kind.type = headers.type;
	kind.protocol = headers.protocol;
	counted = bpf_map_lookup_elem(&counts, &kind);
	if (counted) {
		counted->packets++;
		counted->bytes += bytes;
	} else {
		bpf_map_update_elem(&counts, &kind, &first, BPF_ANY);
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
