/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Makes frames in the kernel: run by BPF_PROG_TEST_RUN with live frames, it writes a frame and redirects it
 * out of the sender's interface.
 *
 * The kernel recycles the frames with the bytes that they had at the end of their last trip, so each one is
 * rewritten up to the end of the payload. A frame that is not due yet is dropped: so one long run keeps the pace
 * without a system call for each frame.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "include/traffic.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wire SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic_state);
} state SEC(".maps");

SEC("xdp")
int generate(struct xdp_md *context)
{
	__u8 *frame = (void *)(long)context->data;
	__u32 key = 0;
	struct traffic_state *traffic = bpf_map_lookup_elem(&state, &key);
	__u64 now = bpf_ktime_get_ns();
	long verdict;

	if (!traffic || (void *)(frame + TRAFFIC_SMALLEST) > (void *)(long)context->data_end)
		return XDP_PASS;
	/* The generator also attaches the program to the loopback interface (kernel_generator.c), whose frames have no
	 * addresses. */
	if (*(__u32 *)frame == 0 && *(__u16 *)(frame + 4) == 0)
		return XDP_PASS;
	if (!traffic_is_due(traffic, now))
		return XDP_DROP;
	verdict = bpf_redirect_map(&wire, 0, XDP_DROP);
	if (verdict != XDP_REDIRECT) {
		traffic->unplugged = 1;
		return verdict;
	}
	traffic_write(traffic, frame, now);
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
