/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker with the path that it receives from, and by default sends through.
 */
#ifndef XDPLAB_ENGINE_WORKER_H
#define XDPLAB_ENGINE_WORKER_H

#include "shared/worker.h"

struct engine_worker {
	struct worker worker;
	struct path *path; /* or NULL while its port is closed */
	struct xdplab_worker_config config;
};

/* To be called before anyone reads the control block. */
void engine_worker_set_defaults(struct xdplab_control *control, const struct xdplab_config *config);
/* Sets up the worker for a configuration, without its paths. Its counts stay. */
int engine_worker_set_up(struct engine_worker *one, const struct xdplab_config *config,
			 const struct xdplab_region *region, uint32_t index, struct xdplab_error *error);
void engine_worker_free(struct engine_worker *one);

#endif
