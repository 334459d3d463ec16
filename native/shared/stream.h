/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream of frames that a worker makes and sends, and the UMEM frames reserved for it.
 */
#ifndef XDPLAB_STREAM_H
#define XDPLAB_STREAM_H

#include <stdbool.h>

#include "include/stream.h"
#include "include/traffic.h"

struct stream {
	struct traffic_state traffic;
	uint64_t limit_frames; /* of one start; 0: no limit */
	uint64_t limit_ns;     /* of one start; 0: no limit */
	uint32_t size;         /* of a frame */
	bool goes_on; /* the next start continues the last one after a reconfiguration: limits go on counting */
	uint64_t first_spare; /* frames from this address on belong to the stream */
	uint32_t spare_count;
	uint64_t spare[]; /* a stack: the frame used last is the one most likely to be in the cache */
};

/* Creates a stream that owns the UMEM's frames from `first_frame` on; NULL if there is no memory. */
struct stream *stream_create(const struct xdplab_stream_config *config, uint32_t frame_size, uint64_t first_frame,
			     uint32_t frame_count);
/* Continues where another stream was; if it `goes_on`, within the same start. */
void stream_follow(struct stream *stream, const struct traffic_state *before, bool goes_on);
/* A start's limits begin now. */
void stream_begin(struct stream *stream, uint64_t now_ns);

#endif
