/* SPDX-License-Identifier: Apache-2.0
 *
 * The telemetry region as memory: the engine makes it, readers map it; and the addresses of its blocks.
 */
#ifndef XDPLAB_REGION_H
#define XDPLAB_REGION_H

#include <stdbool.h>

#include "include/error.h"
#include "include/telemetry.h"

struct xdplab_region {
	struct xdplab_header header; /* a copy: the region's maker could still change the mapped one */
	void *mapping;
	uint64_t size;
	int descriptor;
};

/* Makes and seals the memfd. After this nobody can map it writable, resize it or unseal it. */
int region_create(struct xdplab_region *region, uint32_t workers, uint32_t sample_bytes,
		  uint64_t publish_interval_ns, struct xdplab_error *error);
/* To be called before anyone reads it. */
void region_set_simulated(struct xdplab_region *region, bool simulated);
void region_destroy(struct xdplab_region *region);

struct xdplab_worker_block *region_worker(const struct xdplab_region *region, uint32_t worker);
struct xdplab_ring_head *region_sample_head(const struct xdplab_region *region, uint32_t worker);
struct xdplab_sample *region_sample(const struct xdplab_region *region, uint32_t worker, uint64_t number);

#endif
