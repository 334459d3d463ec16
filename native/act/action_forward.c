/* SPDX-License-Identifier: Apache-2.0
 *
 * forward: every frame leaves as it came, without a copy: where a worker sends through another port's socket,
 * on the other side; else where it came from.
 */
#include "shared/action.h"
#include "shared/worker.h"

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	worker_transmit(worker, frames, count);
}

const struct action action_forward = {
	.name = "forward",
	.verdict = XDPLAB_VERDICT_FORWARD,
	.transmits = true,
	.run = run,
};
