/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker with the path that it receives from, and sends through unless told otherwise.
 */
#ifndef XDPLAB_STATION_H
#define XDPLAB_STATION_H

#include "shared/worker.h"

struct station {
	struct worker worker;
	struct path *path; /* or NULL while its port is closed */
	struct xdplab_worker_config config;
};

/* Nobody reads the control block yet. */
void station_set_defaults(struct xdplab_control *control, const struct xdplab_config *config);
/* The worker as the configuration wants it, without its paths. What it counted stays. */
int station_set_up(struct station *station, const struct xdplab_config *config, const struct xdplab_region *region,
		   uint32_t index, struct xdplab_error *error);
void station_free(struct station *station);

#endif
