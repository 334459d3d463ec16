/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker sends of its own, and the frames it has for that.
 */
#ifndef XDPLAB_STREAM_H
#define XDPLAB_STREAM_H

#include <stdbool.h>

#include "include/stream.h"
#include "include/traffic.h"

struct stream {
	struct traffic_state traffic;
	uint64_t limit_frames; /* of one start; 0: none */
	uint64_t limit_ns;     /* of one start; 0: none */
	uint32_t size;         /* of a frame */
	bool goes_on; /* the next start is a reconfigured engine's: the limits are those of the start before */
	uint64_t first_spare; /* addresses from here on are the stream's */
	uint32_t spare_count;
	uint64_t spare[]; /* a stack: the frame used last is the one most likely to be in the cache */
};

/* Frames from `first_frame` on; NULL where there is no memory. */
struct stream *stream_create(const struct xdplab_stream_config *config, uint32_t frame_size, uint64_t first_frame,
			     uint32_t frame_count);
/* Takes up where another one is, and in the midst of its start if it `goes_on`. */
void stream_follow(struct stream *stream, const struct traffic_state *before, bool goes_on);
/* A start's limits begin now. */
void stream_begin(struct stream *stream, uint64_t now_ns);

#endif
