/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * Maps and constants of the programs in bpf/, shared with the engine.
 */
#ifndef XDPLAB_PROGRAM_MAPS_H
#define XDPLAB_PROGRAM_MAPS_H

#include <linux/types.h>

/* bpf/capture.bpf.c and bpf/count.bpf.c: constants, set before loading. */
struct capture_constants {
	__u32 takes_all; /* 1: redirect ARP and neighbour discovery too */
	__u32 counts;    /* which packets count.bpf.c counts: one of the enum below */
	__be32 address;  /* COUNTS_DATAGRAMS: the socket's address */
};
enum { COUNTS_DATAGRAMS = 1, COUNTS_ALL, COUNTS_DROPPED };

/* bpf/capture_metadata.bpf.c writes this in front of each frame. */
enum {
	METADATA_MAGIC = 0x6d657461,
	METADATA_HASH = 1,
	METADATA_DEVICE_TIME = 2,
	METADATA_PROGRAM_TIME = 4,
	METADATA_VLAN = 16,
};
/* 32 bytes are the most that drivers take (Linux 6.18: more only where a driver says so). */
struct frame_metadata {
	__u64 time_ns; /* of the device's clock, or the kernel's CLOCK_MONOTONIC */
	__u32 hash;
	__u32 hash_type; /* enum xdp_rss_hash_type */
	__u32 flags;
	__u32 magic;         /* absent if the driver had no room for metadata */
	__u16 vlan_protocol; /* of the tag that the device took off */
	__u16 vlan_tag;
	__u32 padding;
};

/* bpf/capture.bpf.c, bpf/count.bpf.c: counts of one core; attach.h has their sum under the same names. */
struct verdicts {
	__u64 redirected;
	__u64 passed;
	__u64 no_socket;
	__u64 unmatched;
	__u64 bytes;
};

/* bpf/drops.bpf.c: an interface, by the number of its network namespace and its index there. */
struct drop_place {
	__u32 network;
	__u32 interface;
};
enum drop_kind { DROPPED_BY_STACK, DROPPED_BY_XDP, DROPPED_BY_REDIRECT, DROP_KINDS };
struct drop {
	struct drop_place place;
	__u32 kind;  /* enum drop_kind */
	__s32 cause; /* enum skb_drop_reason; the verdict that failed; the errno, negative */
};

/* bpf/softirq.bpf.c */
struct softirq_time {
	__u64 entered_ns; /* 0: not in a softirq */
	__u64 total_ns;
};

#endif
