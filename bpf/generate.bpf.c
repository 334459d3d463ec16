/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Makes frames in the kernel: run by BPF_PROG_TEST_RUN with live frames, it writes a frame and redirects it
 * out of the sender's interface.
 *
 * The kernel recycles the frames with whatever bytes they had at the end of their last trip, so each one is
 * written whole up to the end of the payload. A frame that is not due yet is dropped, which makes the
 * program its own pace-maker: one long run keeps to the clock without a system call a frame.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "traffic.h"

/* A thread that lost its core for a while makes up for the frames it missed, up to so many and so long ago:
 * half of a receiver's usual ring. What is more is given up, as a longer burst would measure the burst. */
#define PATIENCE_FRAMES 1024
#define PATIENCE_PS (100 * 1000 * 1000 * 1000ull)
#define FIRST_SOURCE_PORT 1024

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

static int is_due(struct traffic_state *traffic, __u64 now)
{
	__u64 now_ps = (now - traffic->start_ns) * 1000;
	__u64 late_ps;

	if (traffic->limit_frames && traffic->sent >= traffic->limit_frames)
		return 0;
	if (now >= traffic->deadline_ns)
		return 0;
	if (!traffic->interval_ps)
		return 1;
	/* The rate was raised since the next frame was put off. */
	if (traffic->next_ps > now_ps + traffic->interval_ps)
		traffic->next_ps = now_ps;
	if (now_ps < traffic->next_ps)
		return 0;
	late_ps = now_ps - traffic->next_ps;
	if (late_ps > PATIENCE_PS || late_ps > PATIENCE_FRAMES * traffic->interval_ps)
		traffic->next_ps = now_ps;
	traffic->next_ps += traffic->interval_ps;
	return 1;
}

SEC("xdp")
int generate(struct xdp_md *context)
{
	__u8 *frame = (void *)(long)context->data;
	struct traffic_payload *payload = (void *)(frame + TRAFFIC_HEADERS);
	__u32 key = 0;
	struct traffic_state *traffic = bpf_map_lookup_elem(&state, &key);
	__u64 now = bpf_ktime_get_ns();
	long verdict;

	if (!traffic || (void *)(payload + 1) > (void *)(long)context->data_end)
		return XDP_PASS;
	/* The program is attached to the loopback interface too, for the generator's sake (generator.c). What
	 * travels there has no addresses. */
	if (*(__u32 *)frame == 0 && *(__u16 *)(frame + 4) == 0)
		return XDP_PASS;
	if (!is_due(traffic, now))
		return XDP_DROP;
	verdict = bpf_redirect_map(&wire, 0, XDP_DROP);
	if (verdict != XDP_REDIRECT) {
		traffic->unplugged = 1;
		return verdict;
	}
	__builtin_memcpy(frame, traffic->headers, TRAFFIC_HEADERS);
	*(__be16 *)(frame + 34) = bpf_htons(FIRST_SOURCE_PORT + traffic->sent % traffic->flows);
	payload->magic = TRAFFIC_MAGIC;
	payload->sequence = traffic->sent++;
	payload->time_ns = now;
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
