/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs an XDP program of the user's on a frame that never was on a wire (BPF_PROG_TEST_RUN), and counts its runs, in
 * xdp/run.c.
 */
#ifndef XDPLAB_INCLUDE_PROGRAM_RUN_H
#define XDPLAB_INCLUDE_PROGRAM_RUN_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_program_run {
	const uint8_t *frame;
	uint32_t frame_bytes;
	uint8_t *output;
	uint32_t output_bytes; /* room for the output; afterwards, what the output has */
	uint32_t repeat;
	uint32_t interface_index; /* that the program sees as the frame's, or 0: then the kernel takes the loopback's */
	uint32_t queue;           /* likewise, of that interface */
	uint32_t verdict;         /* what the program returned (enum xdp_action, or another number) */
	uint32_t duration_ns;     /* mean of a run */
};

/* Runs it in the calling thread's network namespace. 0 or a negative errno: EINTR if a signal came. */
int xdplab_program_run(int32_t program, struct xdplab_program_run *run, struct xdplab_error *error);

/* The kernel's counts of a program, which grow only while statistics are on. */
struct xdplab_program_runs {
	uint64_t runs;
	uint64_t total_ns;
};

/* Turns on the statistics of all BPF programs, until the descriptor that it returns is closed, and others' are.
 * A negative errno; EPERM without CAP_SYS_ADMIN. */
int xdplab_statistics_enable(void);
/* 0 or a negative errno. */
int xdplab_program_runs(int32_t program, struct xdplab_program_runs *runs);

#endif
