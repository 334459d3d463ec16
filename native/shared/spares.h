/* SPDX-License-Identifier: Apache-2.0
 *
 * UMEM frames of a worker for what it sends by itself. They never pass through the fill ring.
 */
#ifndef XDPLAB_SPARES_H
#define XDPLAB_SPARES_H

#include <stdint.h>

struct spares {
	uint64_t first; /* the frames from this address on are spares, */
	uint64_t bytes; /* so many bytes of them */
	uint32_t count;
	uint64_t frames[]; /* a stack: the frame used last is the one most likely to be in the cache */
};

/* Makes spares of the UMEM's frames from `first_frame` on, each with `room` bytes in front that stay free; NULL if there
 * is no memory. */
struct spares *spares_create(uint32_t frame_size, uint64_t first_frame, uint32_t frame_count, uint32_t room);

#endif
