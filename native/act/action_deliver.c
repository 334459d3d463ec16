/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver: hands every frame to the caller that runs the worker's turn (shared/delivery.h).
 */
#include "shared/action.h"
#include "shared/worker.h"

#include <string.h>

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct delivery *delivery = worker->delivery;

	memcpy(delivery->frames + delivery->count, frames, count * sizeof(*frames));
	delivery->count += count;
	worker->counters.held += count;
}

const struct action action_deliver = { .name = "deliver", .verdict = XDPLAB_VERDICT_DELIVER, .run = run };
