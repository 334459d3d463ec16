/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/stream.h"

#include <stdlib.h>
#include <string.h>

struct stream *stream_create(const struct xdplab_stream_config *config)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->traffic.flows = config->flows;
	stream->traffic.interval_ps = config->interval_ps;
	memcpy(stream->traffic.headers, config->headers, TRAFFIC_HEADERS);
	stream->limit_frames = config->limit_frames;
	stream->limit_ns = config->limit_ns;
	stream->size = config->size;
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
