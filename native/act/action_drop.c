/* SPDX-License-Identifier: Apache-2.0
 *
 * drop: every frame goes straight back to the fill ring.
 */
#include "shared/action.h"
#include "shared/worker.h"

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	worker->rx->operations->recycle(worker->rx, frames, count);
}

const struct action action_drop = { .name = "drop", .verdict = XDPLAB_VERDICT_DROP, .run = run };
