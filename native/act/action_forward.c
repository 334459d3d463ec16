/* SPDX-License-Identifier: Apache-2.0
 *
 * forward: sends every frame unchanged and without a copy, through the other port's socket if the worker has two
 * ports, else through its own.
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
