/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Hands the beginning of every n-th packet to user space by a ring buffer, and passes all packets to the stack.
 *
 * A ring buffer has one order for all cores; a sample that finds no room is counted, and is gone.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { MOST_BYTES = 128 };

struct sample {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 length;  /* of the packet */
	__u32 captured; /* bytes of it that are here */
	__u8 bytes[MOST_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18); /* bytes */
} samples SEC(".maps");

/* The compiler describes the types of variables, and so this one. */
struct sample *unused_sample __attribute__((unused));

__u64 every = 100; /* 0: none */
__u64 seen;
__u64 lost;

SEC("xdp.frags")
int sample(struct xdp_md *context)
{
	struct sample *taken;
	__u32 length = bpf_xdp_get_buff_len(context);
	/* The verifier sees that this is 1 to MOST_BYTES only by the mask. No packet is empty. */
	__u32 captured = (((length < MOST_BYTES ? length : MOST_BYTES) - 1) & (MOST_BYTES - 1)) + 1;

	if (!every || __sync_fetch_and_add(&seen, 1) % every)
		return XDP_PASS;
	taken = bpf_ringbuf_reserve(&samples, sizeof(*taken), 0);
	if (!taken) {
		__sync_fetch_and_add(&lost, 1);
		return XDP_PASS;
	}
	taken->time_ns = bpf_ktime_get_ns();
	taken->length = length;
	taken->captured = bpf_xdp_load_bytes(context, 0, taken->bytes, captured) ? 0 : captured;
	bpf_ringbuf_submit(taken, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
