/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * What the programs of bpf/ keep on each core, for the engine to read.
 */
#ifndef XDPLAB_PROGRAM_MAPS_H
#define XDPLAB_PROGRAM_MAPS_H

#include <linux/types.h>

/* bpf/capture.bpf.c; set before it is loaded. */
struct capture_constants {
	__u32 takes_all; /* ARP and neighbour discovery too */
};

/* bpf/capture.bpf.c; engine.h has the sum of all cores under the same names. */
struct verdicts {
	__u64 redirected;
	__u64 passed;
	__u64 no_socket;
};

/* bpf/softirq.bpf.c */
struct softirq_time {
	__u64 entered_ns; /* 0: not in a softirq */
	__u64 total_ns;
};

#endif
