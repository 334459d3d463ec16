/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/turn.h"

#include <stdatomic.h>
#include <string.h>

#include "base/checksum.h"
#include "base/compat.h"
#include "base/knob.h"

/* If the stream's next frame is due sooner than this, the worker does not sleep. */
#define CLOSE_NS (100 * 1000ull)

/* Headers are prefetched this many frames ahead. */
enum { CHECKSUM_AHEAD = 8 };

static void count_batch(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct xdplab_counters *counters = &worker->counters;
	const uint32_t packets = path_packets(worker->rx, frames, count);
	uint32_t bucket = 31 - (uint32_t)__builtin_clz(packets);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += frames[i].len;
	counters->rx_packets += packets;
	counters->rx_bytes += bytes;
	counters->batches[bucket < XDPLAB_BATCH_BUCKETS ? bucket : XDPLAB_BATCH_BUCKETS - 1]++;
}

void worker_transmit(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct xdplab_counters *counters = &worker->counters;
	uint32_t length = 0; /* of the present packet, which may fill several frames */

	for (uint32_t i = 0; i < count; i++) {
		counters->tx_bytes += frames[i].len;
		length += frames[i].len;
		if (frames[i].options & XDP_PKT_CONTD)
			continue;
		counters->tx_packets++;
		counters->tx_too_long += length > worker->tx->longest;
		length = 0;
	}
	worker->tx->operations->transmit(worker->tx, frames, count);
}

/* Returns the batch: received frames to the fill ring, and spare ones to their stack. */
static void give_back(struct worker *worker, uint32_t count)
{
	struct spares *spares = worker->spares;
	uint32_t received = 0;

	if (!spares) {
		worker->rx->operations->recycle(worker->rx, worker->frames, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (worker->frames[i].addr - spares->first < spares->bytes)
			spares->frames[spares->count++] = worker->frames[i].addr;
		else
			worker->frames[received++] = worker->frames[i];
	}
	worker->rx->operations->recycle(worker->rx, worker->frames, received);
}

bool turn_produces(const struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	return settings->action->produce && worker->stream && !traffic_is_finished(&worker->stream->traffic, now_ns) &&
	       !atomic_load_explicit(&worker->draining, memory_order_relaxed);
}

uint64_t turn_generate(struct worker *worker, const struct settings *settings, uint64_t now_ns, uint32_t *handled)
{
	struct traffic_state *traffic = &worker->stream->traffic;
	uint32_t produced;
	uint64_t next_ns;

	traffic->interval_ps = knob(&worker->block->control.interval_ps);
	produced = settings->action->produce(worker, settings->batch, now_ns);
	*handled += produced;
	if (produced || !traffic->interval_ps)
		return 0;
	next_ns = traffic_next_ns(traffic);
	/* A thread wakes some 50 us late, so the worker spins on the clock for a nearer frame. */
	return next_ns > now_ns + CLOSE_NS ? next_ns - now_ns - CLOSE_NS : 0;
}

void turn_take_back_sent(struct worker *worker, uint32_t burst)
{
	uint32_t taken = 0, count;

	while (taken < burst && (count = worker->tx->operations->complete(worker->tx, worker->frames,
									  worker->frames_limit))) {
		give_back(worker, count);
		taken += count;
	}
}

/* Number of frames to receive now. Frames that could not be sent on stay in the RX ring, and the kernel counts packets
 * without room there; user space never drops any. */
static uint32_t batch_limit(struct worker *worker, const struct settings *settings, uint32_t received)
{
	const uint32_t left = settings->burst - received;
	const uint32_t limit = settings->batch < left ? settings->batch : left;
	uint32_t room;

	if (!settings->action->transmits)
		return limit;
	room = worker->tx->operations->room(worker->tx);
	return limit < room ? limit : room;
}

/* Writes into the room in front of a packet's first frame what the device is to do with its checksum; false if it can't
 * finish it, or if there is no room. */
static bool ask_device(uint8_t *area, struct xdp_desc *frames, uint32_t count, uint32_t frame_size)
{
	struct xdplab_transmit_metadata metadata = { .flags = XDP_TXMD_FLAGS_CHECKSUM };
	struct checksum_place place;

	if (frames->addr % frame_size < sizeof(metadata) || !checksum_for_device(area, frames, count, &place))
		return false;
	metadata.csum_start = place.begin;
	metadata.csum_offset = place.field;
	memcpy(area + frames->addr - sizeof(metadata), &metadata, sizeof(metadata));
	frames->options |= XDP_TX_METADATA;
	return true;
}

void worker_look_at_checksums(struct worker *worker, uint32_t count, bool may_ask)
{
	const struct path *rx = worker->rx;
	const bool long_packets = path_has_long_packets(rx);
	const uint64_t who = knob(&worker->block->control.checksum);
	const bool asks = may_ask && worker->asks_device && who == XDPLAB_CHECKSUM_DEVICE;
	struct xdp_desc *frames = worker->frames;
	uint32_t each;

	if (who == XDPLAB_CHECKSUM_NONE) {
		each = long_packets ? packet_frames(frames) : 1;
		worker->counters.checksums_unfinished += checksum_is_unfinished(rx->area, frames, each);
		return;
	}
	for (uint32_t i = 0; i < count; i += each) {
		/* Headers are not in this core's cache yet; waiting for each in turn would take most of the time. */
		if (i + CHECKSUM_AHEAD < count)
			__builtin_prefetch(rx->area + frames[i + CHECKSUM_AHEAD].addr);
		each = long_packets ? packet_frames(frames + i) : 1;
		if (asks && ask_device(rx->area, frames + i, each, worker->frame_size))
			worker->counters.checksums_asked++;
		else
			worker->counters.checksums_finished += checksum_finish(rx->area, frames + i, each);
	}
}

/* Receives one batch of a burst that has `received` packets so far, and runs the action on it. */
static inline uint32_t receive_batch(struct worker *worker, const struct settings *settings, uint32_t received)
{
	const uint32_t limit = batch_limit(worker, settings, received);
	uint32_t count;

	/* Room for less than the longest packet counts as none. */
	if (limit < worker->rx->packet_frames)
		return 0;
	count = worker->rx->operations->receive(worker->rx, worker->frames, limit);
	if (!count) {
		worker->counters.empty_polls++;
		return 0;
	}
	sample_batch(worker, &settings->sampling, worker->frames, count);
	count_batch(worker, worker->frames, count);
	if (settings->action->transmits && !settings->action->looks_itself)
		worker_look_at_checksums(worker, count, true);
	settings->action->run(worker, worker->frames, count);
	return count;
}

void turn_receive_batch(struct worker *worker, const struct settings *settings)
{
	receive_batch(worker, settings, 0);
}

uint32_t turn_receive_burst(struct worker *worker, const struct settings *settings)
{
	uint32_t received = 0, count;

	while (received < settings->burst && (count = receive_batch(worker, settings, received)))
		received += count;
	return received;
}
