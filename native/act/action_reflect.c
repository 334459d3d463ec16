/* SPDX-License-Identifier: Apache-2.0
 *
 * reflect: sends every frame back to its sender: swaps the Ethernet addresses, and changes nothing else.
 */
#include "shared/action.h"
#include "base/swap.h"
#include "shared/worker.h"

static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	if (path_has_long_packets(worker->rx))
		for (uint32_t i = 0; i < count; i += packet_frames(frames + i))
			swap_ethernet(worker->rx->area + frames[i].addr, frames[i].len);
	else
		for (uint32_t i = 0; i < count; i++)
			swap_ethernet(worker->rx->area + frames[i].addr, frames[i].len);
	worker_transmit(worker, frames, count);
}

const struct action action_reflect = {
	.name = "reflect",
	.verdict = XDPLAB_VERDICT_REFLECT,
	.transmits = true,
	.run = run,
};
