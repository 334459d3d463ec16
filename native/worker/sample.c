/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sample.h"

#include <assert.h>
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/seqlock.h"
#include "include/traffic.h"
#include "worker/metadata.h"

static bool is_ours(const struct traffic_payload *payload)
{
	return payload->magic == TRAFFIC_MAGIC;
}

/* The same for a datagram without its headers, which only the socket on our port gets. */
static const struct traffic_payload *bare_payload_of(const uint8_t *bytes, uint32_t length)
{
	const struct traffic_payload *payload = (const void *)bytes;

	return length >= sizeof(*payload) && is_ours(payload) ? payload : NULL;
}

/* The payload of a frame from one of xdplab's generators, direct or echoed, or NULL. */
static const struct traffic_payload *payload_of(const uint8_t *frame, uint32_t length)
{
	const struct traffic_payload *payload = (const void *)(frame + TRAFFIC_HEADERS);
	uint16_t protocol, source, destination;

	if (length < TRAFFIC_SMALLEST)
		return NULL;
	memcpy(&protocol, frame + 12, sizeof(protocol));
	memcpy(&source, frame + 34, sizeof(source));
	memcpy(&destination, frame + 36, sizeof(destination));
	if (protocol != htobe16(ETH_P_IP) || frame[23] != IPPROTO_UDP || !is_ours(payload) ||
	    (destination != htobe16(TRAFFIC_PORT) && source != htobe16(TRAFFIC_PORT)))
		return NULL;
	return payload;
}

static void measure_latency(struct worker *worker, uint64_t sent_ns, uint64_t now_ns)
{
	histogram_add(worker->block->latency, now_ns > sent_ns ? now_ns - sent_ns : 0);
}

/* The IPv4 header identifies the stream. Without headers, a smaller number in a frame that was made later can only be
 * of another stream. */
static bool is_another_stream(const struct worker *worker, const struct traffic_payload *payload, uint16_t stream)
{
	return stream != worker->followed_stream ||
	       (worker->rx->bare && payload->sequence < worker->followed_next &&
		payload->time_ns > worker->followed_ns);
}

/* Frames of one queue keep their order, so a number above the expected one means that those between are lost. A stream
 * that was not followed so far begins with its present number. */
static void follow_stream(struct worker *worker, const uint8_t *frame, const struct traffic_payload *payload)
{
	const uint64_t sequence = payload->sequence;
	uint16_t stream = 0;

	if (!worker->rx->bare)
		memcpy(&stream, frame + TRAFFIC_STREAM_OFFSET, sizeof(stream));
	if (!worker->follows || is_another_stream(worker, payload, stream)) {
		worker->follows = true;
		worker->followed_stream = stream;
		worker->followed_next = sequence;
	}
	worker->counters.stream_frames++;
	if (sequence < worker->followed_next) {
		worker->counters.stream_late++;
		return;
	}
	worker->counters.stream_missing += sequence - worker->followed_next;
	worker->followed_next = sequence + 1;
	worker->followed_ns = payload->time_ns;
}

enum { OF_SAMPLES = XDPLAB_SAMPLE_HASH | XDPLAB_SAMPLE_DEVICE_TIME | XDPLAB_SAMPLE_PROGRAM_TIME };

static_assert(XDPLAB_METADATA_HASH == (int)XDPLAB_SAMPLE_HASH &&
		      XDPLAB_METADATA_DEVICE_TIME == (int)XDPLAB_SAMPLE_DEVICE_TIME &&
		      XDPLAB_METADATA_PROGRAM_TIME == (int)XDPLAB_SAMPLE_PROGRAM_TIME,
	      "copied as they are");
static_assert(!((int)XDPLAB_SAMPLE_PAYLOAD & OF_SAMPLES), "beside");

/* The metadata that the XDP program wrote in front of the frame; the kernel copies it too (__xsk_rcv, Linux 6.18). */
static struct xdplab_metadata metadata_of(const struct path *path, const struct xdp_desc *frame)
{
	return path->metadata ? metadata_before(path->area + frame->addr) : (struct xdplab_metadata){ 0 };
}

/* A sample has bytes of the packet's first frame only. */
static void write_sample(struct worker *worker, const struct sampling *sampling, const struct xdp_desc *frames,
			 uint32_t count, uint64_t packet, uint64_t sent_ns, uint64_t now_ns)
{
	struct xdplab_ring_head *head = region_sample_head(worker->region, worker->index);
	/* Relaxed: nobody else writes it. */
	uint64_t number = atomic_load_explicit(&head->written, memory_order_relaxed);
	struct xdplab_sample *sample = region_sample(worker->region, worker->index, number);
	const uint32_t limit = worker->region->header.sample_bytes;
	const struct xdplab_metadata metadata = metadata_of(worker->rx, frames);
	const bool by_kernel = metadata.flags & XDPLAB_METADATA_PROGRAM_TIME;
	const struct xdplab_sample content = {
		.time_ns = now_ns,
		.frame = packet,
		.sent_ns = sent_ns,
		.length = packet_length(frames, count),
		.captured = frames->len < limit ? frames->len : limit,
		.queue = worker->queue,
		.verdict = sampling->verdict,
		.flags = (uint16_t)((metadata.flags & OF_SAMPLES) | (worker->rx->bare ? XDPLAB_SAMPLE_PAYLOAD : 0)),
		.device_time_ns = metadata.time_ns + (by_kernel ? worker->clock_offset_ns : 0),
		.hash = metadata.hash,
		.hash_type = metadata.hash_type,
	};
	const size_t sequence_bytes = sizeof(sample->sequence);

	seqlock_begin(&sample->sequence, number);
	seqlock_write(&sample->time_ns, &content.time_ns, sizeof(content) - sequence_bytes);
	/* By whole words, up to 7 bytes past the frame: it begins at a multiple of 8, as does the memory after it. */
	seqlock_write(sample + 1, worker->rx->area + frames->addr, (content.captured + 7u) & ~7u);
	seqlock_end(&sample->sequence, number);
	/* Release: a reader that sees the new number sees the whole sample. */
	atomic_store_explicit(&head->written, number + 1, memory_order_release);
	worker->counters.samples++;
}

/* Inlined, so that the compiler drops the check of frame options if no packet fills several frames. */
static inline __attribute__((always_inline)) void look_into(struct worker *worker, const struct sampling *sampling,
							    const struct xdp_desc *frames, uint32_t count,
							    const bool long_packets)
{
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const bool bare = worker->rx->bare;
	uint64_t packet = worker->counters.rx_packets;

	for (uint32_t i = 0, each; i < count; i += each, packet++) {
		const uint8_t *bytes = worker->rx->area + frames[i].addr;
		const bool chosen = sampling->every && worker->sample_countdown-- == 0;
		const struct traffic_payload *payload = NULL;
		uint64_t sent_ns = 0;

		if (chosen || sampling->inspect)
			payload = bare ? bare_payload_of(bytes, frames[i].len) : payload_of(bytes, frames[i].len);
		if (payload)
			sent_ns = payload->time_ns + worker->clock_offset_ns;

		each = long_packets ? packet_frames(frames + i) : 1;
		if (payload)
			measure_latency(worker, sent_ns, now_ns);
		if (payload && sampling->inspect)
			follow_stream(worker, bytes, payload);
		if (chosen) {
			write_sample(worker, sampling, frames + i, each, packet, sent_ns, now_ns);
			worker->sample_countdown = sampling->every - 1;
		}
	}
}

void sample_batch(struct worker *worker, const struct sampling *sampling, const struct xdp_desc *frames,
		  uint32_t count)
{
	const uint32_t packets = path_packets(worker->rx, frames, count);

	worker->follows &= sampling->inspect;
	/* The common case costs one comparison a batch. */
	if (!sampling->inspect && (!sampling->every || worker->sample_countdown >= packets)) {
		worker->sample_countdown -= sampling->every ? packets : 0;
		return;
	}
	if (path_has_long_packets(worker->rx))
		look_into(worker, sampling, frames, count, true);
	else
		look_into(worker, sampling, frames, count, false);
}
