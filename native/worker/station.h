/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker with the path that it receives from, and by default sends through.
 */
#ifndef XDPLAB_STATION_H
#define XDPLAB_STATION_H

#include "shared/worker.h"

struct station {
	struct worker worker;
	struct path *path; /* or NULL while its port is closed */
	struct xdplab_worker_config config;
};

/* To be called before anyone reads the control block. */
void station_set_defaults(struct xdplab_control *control, const struct xdplab_config *config);
/* Sets up the worker for a configuration, without its paths. Its counts stay. */
int station_set_up(struct station *station, const struct xdplab_config *config, const struct xdplab_region *region,
		   uint32_t index, struct xdplab_error *error);
void station_free(struct station *station);

#endif
