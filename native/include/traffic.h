/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * Our generators' frames and their pace: what the XDP program that makes them, the worker that makes them,
 * and the worker that receives them agree on. Shared with bpf/, so it needs nothing but the kernel's types.
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
	/* A generator that lost its core for a while makes up for the frames it missed, up to so many and so
	 * long ago: half of a receiver's usual ring. What is more is given up, as a longer burst would measure
	 * the burst. */
	TRAFFIC_PATIENCE_FRAMES = 1024,
	TRAFFIC_PATIENCE_MS = 100,
	TRAFFIC_SMALLEST = 60, /* headers and payload exactly */
};

#define TRAFFIC_FOREVER (~0ull)

/* At the start of each UDP payload, host byte order, unaligned. */
struct traffic_payload {
	__u16 magic;
	__u64 sequence;
	__u64 time_ns; /* the kernel's own CLOCK_MONOTONIC, as bpf_ktime_get_ns has it */
} __attribute__((packed));

/* What a generator writes, and from its own cache line on what it is told. The XDP program's is a map entry,
 * shared by mmap. */
struct traffic_state {
	__u64 sent;
	__u64 next_ps;     /* since start_ns, when the next frame is due */
	__u64 unplugged;   /* 1: the interface is gone, and the kernel took it out of the DEVMAP */
	__u64 padding[5];
	__u64 start_ns; /* by the clock of whoever looks at it: the XDP program's is the kernel's own */
	__u64 interval_ps;
	__u64 limit_frames;
	__u64 deadline_ns;
	__u32 flows;
	__u8 headers[TRAFFIC_HEADERS];
};

/* A start: `limit_frames` more frames from now on, for `limit_ns`; with 0 without end. */
static inline void traffic_begin(struct traffic_state *traffic, __u64 now_ns, __u64 limit_frames, __u64 limit_ns)
{
	traffic->start_ns = now_ns;
	traffic->next_ps = 0;
	traffic->limit_frames = limit_frames ? traffic->sent + limit_frames : 0;
	traffic->deadline_ns = limit_ns ? now_ns + limit_ns : TRAFFIC_FOREVER;
}

/* No more will be sent in this start. */
static inline int traffic_is_finished(const struct traffic_state *traffic, __u64 now_ns)
{
	return (traffic->limit_frames && traffic->sent >= traffic->limit_frames) || now_ns >= traffic->deadline_ns;
}

/* When the next frame is due. */
static inline __u64 traffic_next_ns(const struct traffic_state *traffic)
{
	return traffic->start_ns + traffic->next_ps / 1000;
}

/* Whether the next frame is to be sent now; if so, puts the one after it off. */
static inline int traffic_is_due(struct traffic_state *traffic, __u64 now_ns)
{
	const __u64 ps_per_ms = 1000 * 1000 * 1000;
	__u64 now_ps = (now_ns - traffic->start_ns) * 1000;
	__u64 late_ps;

	if (traffic_is_finished(traffic, now_ns))
		return 0;
	if (!traffic->interval_ps)
		return 1;
	/* The rate was raised since the next frame was put off. */
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
