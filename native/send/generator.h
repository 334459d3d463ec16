/* SPDX-License-Identifier: Apache-2.0
 *
 * A generator: what the kernel's (kernel_generator.c) and a simulated interface's (soft/generator.c) have in common,
 * and the functions in which they differ.
 */
#ifndef XDPLAB_GENERATOR_H
#define XDPLAB_GENERATOR_H

#include <stdbool.h>

#include "include/generator.h"

struct generator_operations {
	/* Of one that is stopped; its counts go on. 0, or a negative errno. */
	int (*start)(struct xdplab_generator *generator, struct xdplab_error *error);
	/* Of any: returns when the last frame has left. */
	void (*stop)(struct xdplab_generator *generator);
	/* Of one that is stopped. */
	void (*close)(struct xdplab_generator *generator);
	void (*set_interval)(struct xdplab_generator *generator, uint64_t interval_ps);
	uint64_t (*sent)(const struct xdplab_generator *generator);
	/* The descriptor of its state. Left out where nobody else may have it. */
	int (*state)(const struct xdplab_generator *generator);
};

struct xdplab_generator {
	const struct generator_operations *operations;

	/* Set when it is opened. */
	int32_t cpu;
	uint32_t longest;      /* bytes of a frame that the interface takes */
	uint64_t limit_frames; /* of one start; 0: none */
	uint64_t limit_ns;     /* likewise */

	/* Of whoever asks, and of the thread that sends. */
	_Atomic uint64_t wanted_size; /* of a frame */
	_Atomic uint64_t too_long;
	_Atomic bool running;
	_Atomic int fault;
};

void generator_init(struct xdplab_generator *generator, const struct generator_operations *operations,
		    const struct xdplab_traffic *traffic);
/* On the thread that sends: it sends no more, and the errno says why, or 0. */
void generator_ended(struct xdplab_generator *generator, int fault);

#endif
