/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * What the generator's XDP program, the thread that runs it and the receiving worker agree on.
 * Shared with bpf/, so it needs nothing but the kernel's integer types.
 */
#ifndef XDPLAB_TRAFFIC_H
#define XDPLAB_TRAFFIC_H

#include <linux/types.h>

enum {
	TRAFFIC_HEADERS = 42, /* Ethernet 14, IPv4 20, UDP 8 */
	TRAFFIC_MAGIC = 0x7864,
	TRAFFIC_PORT = 9, /* discard, RFC 863 */
	TRAFFIC_STREAM_OFFSET = 18, /* IPv4 identification: one value a generator */
	TRAFFIC_SMALLEST = 60, /* headers and payload exactly */
};

/* At the start of each UDP payload, host byte order, unaligned. */
struct traffic_payload {
	__u16 magic;
	__u64 sequence;
	__u64 time_ns; /* CLOCK_MONOTONIC */
} __attribute__((packed));

/* One map entry, shared by mmap: what the program writes, and from its own cache line on what it is told. */
struct traffic_state {
	__u64 sent;
	__u64 next_ps;     /* since start_ns, when the next frame is due */
	__u64 unplugged;   /* 1: the interface is gone, and the kernel took it out of the DEVMAP */
	__u64 padding[5];
	__u64 start_ns;
	__u64 interval_ps;
	__u64 limit_frames;
	__u64 deadline_ns;
	__u32 flows;
	__u8 headers[TRAFFIC_HEADERS];
};

#endif
