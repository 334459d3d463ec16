/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream of frames that a worker makes and sends.
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
};

/* NULL if there is no memory. */
struct stream *stream_create(const struct xdplab_stream_config *config);
/* Continues where another stream was; if it `goes_on`, within the same start. */
void stream_follow(struct stream *stream, const struct traffic_state *before, bool goes_on);
/* A start's limits begin now. */
void stream_begin(struct stream *stream, uint64_t now_ns);

#endif
