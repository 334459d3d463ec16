/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine: its configuration, its region and its workers (engine.c), and the ports that they receive from (ports.c).
 */
#ifndef XDPLAB_ENGINE_H
#define XDPLAB_ENGINE_H

#include "include/engine.h"
#include "region/region.h"
#include "shared/path.h"
#include "worker/engine_worker.h"
#include "xdp/port.h"

struct xdplab_engine {
	struct xdplab_config config; /* its pointers are valid only until the engine is open */
	char *program;
	struct xdplab_match match; /* with instructions of its own */
	const struct path_kind *kind;
	void *shared; /* shared by its paths, or NULL */
	bool reconfigured;
	bool paused;
	struct xdplab_region region;
	struct port ports[XDPLAB_PORTS];
	uint32_t worker_count;
	struct engine_worker workers[];
};

/* Takes the sockets out of the XSKMAPs. */
void engine_leave_sockets(struct xdplab_engine *engine);
/* Closes the receive paths of a port. Its XDP program stays attached. */
void engine_close_paths(struct xdplab_engine *engine, uint32_t port);

#endif
