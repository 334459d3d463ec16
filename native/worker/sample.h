/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking into frames: which become samples, how long our generators' frames were on their way, and whether
 * one of them is missing. Only sampled frames are looked into, unless the control block says all.
 */
#ifndef XDPLAB_SAMPLE_H
#define XDPLAB_SAMPLE_H

#include "shared/worker.h"

struct sampling {
	uint64_t every; /* 0: no samples */
	bool inspect;   /* each frame's latency and sequence number */
	uint16_t verdict;
};

void sample_batch(struct worker *worker, const struct sampling *sampling, const struct xdp_desc *frames,
		  uint32_t count);

#endif
