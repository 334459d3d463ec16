/* SPDX-License-Identifier: Apache-2.0
 *
 * A generator: the common part of the in-kernel one (kernel_generator.c), the one that replays a capture file
 * (replay_generator.c) and that of a simulated interface (soft/generator.c), and the functions in which they differ.
 */
#ifndef XDPLAB_GENERATOR_H
#define XDPLAB_GENERATOR_H

#include <stdbool.h>

#include "include/generator.h"

struct generator_operations {
	/* Only if it is stopped; its counts continue. 0, or a negative errno. */
	int (*start)(struct xdplab_generator *generator, struct xdplab_error *error);
	/* In any state: returns when the last frame has been sent. */
	void (*stop)(struct xdplab_generator *generator);
	/* Only if it is stopped. */
	void (*close)(struct xdplab_generator *generator);
	void (*set_interval)(struct xdplab_generator *generator, uint64_t interval_ps);
	uint64_t (*sent)(const struct xdplab_generator *generator);
	/* The descriptor of its state. Optional: without it, other processes can't read the state. */
	int (*state)(const struct xdplab_generator *generator);
	/* Takes more frames of a replay. Optional. 0, or a negative errno. */
	int (*feed)(struct xdplab_generator *generator, const struct xdplab_replay *more, bool complete);
};

struct xdplab_generator {
	const struct generator_operations *operations;

	/* Set when it is opened. */
	int32_t cpu;
	uint32_t longest;      /* bytes of a frame that the interface takes */
	uint64_t limit_frames; /* of one start; 0: no limit */
	uint64_t limit_ns;     /* likewise */

	/* Shared between callers and the thread that sends. */
	_Atomic uint64_t wanted_size; /* of a frame */
	_Atomic uint64_t too_long;
	_Atomic bool running;
	_Atomic int fault;
	/* Of this start: when it began and ended to send, 0 before that; and the time of all starts before it. */
	_Atomic uint64_t began_ns;
	_Atomic uint64_t ended_ns;
	uint64_t before_ns; /* used by callers, one at a time */
};

void generator_init(struct xdplab_generator *generator, const struct generator_operations *operations,
		    const struct xdplab_traffic *traffic);
/* Called on the thread that sends, before its first frame. */
void generator_began(struct xdplab_generator *generator);
/* Called on the thread that sends when it ends, with the errno that ended it, or 0. */
void generator_ended(struct xdplab_generator *generator, int fault);

#endif
