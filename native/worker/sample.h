/* SPDX-License-Identifier: Apache-2.0
 *
 * Inspects frames: takes samples, and measures latency and loss of frames from xdplab's generators. It inspects only
 * sampled frames, unless the control block says all.
 */
#ifndef XDPLAB_SAMPLE_H
#define XDPLAB_SAMPLE_H

#include "shared/worker.h"

struct sampling {
	uint64_t every; /* 0: no samples */
	bool inspect;   /* latency and sequence number of each frame */
	uint16_t verdict;
};

void sample_batch(struct worker *worker, const struct sampling *sampling, const struct xdp_desc *frames,
		  uint32_t count);

#endif
