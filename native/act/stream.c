/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/stream.h"

#include <stdlib.h>
#include <string.h>

struct stream *stream_create(const struct xdplab_stream_config *config, uint32_t frame_size, uint64_t first_frame,
			     uint32_t frame_count)
{
	struct stream *stream = calloc(1, sizeof(*stream) + frame_count * sizeof(*stream->spare));

	if (!stream)
		return NULL;
	stream->traffic.flows = config->flows;
	stream->traffic.interval_ps = config->interval_ps;
	memcpy(stream->traffic.headers, config->headers, TRAFFIC_HEADERS);
	stream->limit_frames = config->limit_frames;
	stream->limit_ns = config->limit_ns;
	stream->size = config->size;
	stream->first_spare = first_frame * frame_size;
	stream->spare_count = frame_count;
	for (uint32_t i = 0; i < frame_count; i++)
		stream->spare[i] = (first_frame + i) * frame_size;
	return stream;
}

void stream_follow(struct stream *stream, const struct traffic_state *before, bool goes_on)
{
	stream->traffic = *before;
	stream->goes_on = goes_on;
}

void stream_begin(struct stream *stream, uint64_t now_ns)
{
	if (stream->goes_on) {
		stream->goes_on = false;
		return;
	}
	traffic_begin(&stream->traffic, now_ns, stream->limit_frames, stream->limit_ns);
}
