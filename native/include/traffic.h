/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * Frames of xdplab's generators and their pace: the format that the XDP program and the worker that make them, and
 * the worker that receives them, have in common. Shared with bpf/, so it uses only the kernel's types.
 */
#ifndef XDPLAB_TRAFFIC_H
#define XDPLAB_TRAFFIC_H

#include <asm/byteorder.h>
#include <linux/types.h>

enum {
	TRAFFIC_HEADERS = 42, /* Ethernet 14, IPv4 20, UDP 8 */
	TRAFFIC_MAGIC = 0x7864,
	TRAFFIC_PORT = 9, /* discard, RFC 863 */
	TRAFFIC_STREAM_OFFSET = 18, /* IPv4 identification: one value a generator */
	TRAFFIC_SOURCE_PORT_OFFSET = 34,
	TRAFFIC_FIRST_SOURCE_PORT = 1024,
	/* A generator that lost its core for a while sends the frames it missed, up to so many and so old: half
	 * of a receiver's usual ring. It skips more than that, because a longer burst would measure the burst. */
	TRAFFIC_PATIENCE_FRAMES = 1024,
	TRAFFIC_PATIENCE_MS = 100,
	TRAFFIC_SMALLEST = 60, /* headers and payload exactly */
};

#define TRAFFIC_FOREVER (~0ull)

/* At the start of each UDP payload, host byte order, unaligned. */
struct traffic_payload {
	__u16 magic;
	__u64 sequence;
	__u64 time_ns; /* CLOCK_MONOTONIC of the kernel itself (bpf_ktime_get_ns), not of a time namespace */
} __attribute__((packed));

/* First the words that a generator writes, then, on another cache line, its settings. The XDP program's state is a
 * map entry, shared by mmap. */
struct traffic_state {
	__u64 sent;
	__u64 next_ps;     /* since start_ns, when the next frame is due */
	__u64 unplugged;   /* 1: the interface is gone; the kernel removed it from the DEVMAP */
	__u64 padding[5];
	__u64 start_ns; /* by the generator's clock; the XDP program uses the kernel's CLOCK_MONOTONIC */
	__u64 interval_ps;
	__u64 limit_frames;
	__u64 deadline_ns;
	__u32 flows;
	__u8 headers[TRAFFIC_HEADERS];
};

/* Starts: from now on `limit_frames` more frames, for at most `limit_ns`; 0: no limit. */
static inline void traffic_begin(struct traffic_state *traffic, __u64 now_ns, __u64 limit_frames, __u64 limit_ns)
{
	traffic->start_ns = now_ns;
	traffic->next_ps = 0;
	traffic->limit_frames = limit_frames ? traffic->sent + limit_frames : 0;
	traffic->deadline_ns = limit_ns ? now_ns + limit_ns : TRAFFIC_FOREVER;
}

/* Whether this start's limit is reached. */
static inline int traffic_is_finished(const struct traffic_state *traffic, __u64 now_ns)
{
	return (traffic->limit_frames && traffic->sent >= traffic->limit_frames) || now_ns >= traffic->deadline_ns;
}

/* When the next frame is due. */
static inline __u64 traffic_next_ns(const struct traffic_state *traffic)
{
	return traffic->start_ns + traffic->next_ps / 1000;
}

/* Whether the next frame must be sent now; if so, schedules the one after it. */
static inline int traffic_is_due(struct traffic_state *traffic, __u64 now_ns)
{
	const __u64 ps_per_ms = 1000 * 1000 * 1000;
	__u64 now_ps = (now_ns - traffic->start_ns) * 1000;
	__u64 late_ps;

	if (traffic_is_finished(traffic, now_ns))
		return 0;
	if (!traffic->interval_ps)
		return 1;
	/* The rate was raised since the next frame was scheduled. */
	if (traffic->next_ps > now_ps + traffic->interval_ps)
		traffic->next_ps = now_ps;
	if (now_ps < traffic->next_ps)
		return 0;
	late_ps = now_ps - traffic->next_ps;
	if (late_ps > TRAFFIC_PATIENCE_MS * ps_per_ms ||
	    late_ps > TRAFFIC_PATIENCE_FRAMES * traffic->interval_ps)
		traffic->next_ps = now_ps;
	traffic->next_ps += traffic->interval_ps;
	return 1;
}

/* Writes the next frame, up to the end of its payload: TRAFFIC_SMALLEST bytes. */
static inline void traffic_write(struct traffic_state *traffic, __u8 *frame, __u64 now_ns)
{
	struct traffic_payload *payload = (void *)(frame + TRAFFIC_HEADERS);

	__builtin_memcpy(frame, traffic->headers, TRAFFIC_HEADERS);
	*(__be16 *)(frame + TRAFFIC_SOURCE_PORT_OFFSET) =
		__cpu_to_be16((__u16)(TRAFFIC_FIRST_SOURCE_PORT + traffic->sent % traffic->flows));
	payload->magic = TRAFFIC_MAGIC;
	payload->sequence = traffic->sent++;
	payload->time_ns = now_ns;
}

#endif
