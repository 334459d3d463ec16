/* SPDX-License-Identifier: Apache-2.0
 *
 * generate: sends frames of its own at a rate, and drops the frames it receives. If the other side reflects its
 * frames, inspecting them measures the round trip.
 *
 * Its frames are the worker's spare ones, which never pass through the fill ring.
 */
#include "shared/action.h"
#include "shared/worker.h"

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	worker->rx->operations->recycle(worker->rx, frames, count);
}

static uint32_t produce(struct worker *worker, uint32_t limit, uint64_t now_ns)
{
	struct stream *stream = worker->stream;
	struct spares *spares = worker->spares;
	uint32_t room, count = 0;

	if (!stream)
		return 0;
	if (limit > spares->count)
		limit = spares->count;
	room = worker->tx->operations->room(worker->tx);
	while (count < limit && count < room && traffic_is_due(&stream->traffic, now_ns)) {
		struct xdp_desc *frame = worker->frames + count++;

		*frame = (struct xdp_desc){ .addr = spares->frames[--spares->count], .len = stream->size };
		traffic_write(&stream->traffic, worker->tx->area + frame->addr, now_ns - worker->clock_offset_ns);
	}
	if (count)
		worker_transmit(worker, worker->frames, count);
	return count;
}

const struct action action_generate = {
	.name = "generate",
	.verdict = XDPLAB_VERDICT_DROP,
	.run = run,
	.produce = produce,
};
