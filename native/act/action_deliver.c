/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver: hands packets to the caller that runs the worker's turn (shared/delivery.h): all, or those that pass a
 * filter. The others go straight back to the fill ring.
 */
#include "shared/action.h"
#include "base/packet_filter.h"
#include "shared/worker.h"

#include <string.h>

static void hand_on(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct delivery *delivery = worker->delivery;

	memcpy(delivery->frames + delivery->count, frames, count * sizeof(*frames));
	delivery->count += count;
	worker->counters.held += count;
}

/* All headers are in a packet's first frame. */
static bool is_wanted(const struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	return packet_filter_passes(worker->delivery->filter, worker->rx->area + frames->addr, frames->len,
				    packet_length(frames, count));
}

/* Frames of the same fate go on together. */
static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	uint32_t begin = 0, end = 0;
	bool wanted = true;

	if (!worker->delivery->filter) {
		hand_on(worker, frames, count);
		return;
	}
	while (begin < count) {
		const uint32_t each = end < count ? packet_frames(frames + end) : 0;
		const bool next = each && is_wanted(worker, frames + end, each);

		if (each && (next == wanted || begin == end)) {
			wanted = next;
			end += each;
			continue;
		}
		if (wanted) {
			hand_on(worker, frames + begin, end - begin);
		} else {
			worker->rx->operations->recycle(worker->rx, frames + begin, end - begin);
			worker->counters.filtered += path_packets(worker->rx, frames + begin, end - begin);
		}
		begin = end;
	}
}

const struct action action_deliver = { .name = "deliver", .verdict = XDPLAB_VERDICT_DELIVER, .run = run };
