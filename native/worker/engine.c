/* SPDX-License-Identifier: Apache-2.0 */
#include "include/engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "shared/path.h"
#include "xdp/port.h"
#include "xdp/program.h"
#include "worker/publish.h"
#include "region/region.h"
#include "worker/station.h"
#include "shared/wait.h"

struct xdplab_engine {
	struct xdplab_config config; /* its pointers are good only until it is open */
	char *program;
	const struct path_kind *kind;
	void *shared; /* by its paths, or NULL */
	bool reconfigured;
	bool paused;
	struct xdplab_region region;
	struct port ports[XDPLAB_PORTS];
	uint32_t worker_count;
	struct station stations[];
};

static void free_workers(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		station_free(engine->stations + i);
}

static int set_up_workers(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct station *station = engine->stations + i;

		if (station_set_up(station, &engine->config, &engine->region, i, error))
			return -error->code;
		station->worker.port = engine->ports + station->config.port;
	}
	return 0;
}

static void free_shared(struct xdplab_engine *engine)
{
	if (engine->shared)
		engine->kind->unshare(engine->shared);
	engine->shared = NULL;
}

/* Takes the configuration over, and allocates what depends on it. */
static int configure(struct xdplab_engine *engine, const struct xdplab_config *config, struct xdplab_error *error)
{
	engine->config = *config;
	engine->kind = path_kinds[config->path < PATH_COUNT ? config->path : PATH_xsk];
	if (engine->kind->share && !(engine->shared = engine->kind->share(config, error)))
		return -error->code;
	if (!set_up_workers(engine, error))
		return 0;
	free_workers(engine);
	free_shared(engine);
	return -error->code;
}

struct xdplab_engine *xdplab_engine_open(const struct xdplab_config *config, struct xdplab_error *error)
{
	struct xdplab_engine *engine =
		calloc(1, sizeof(*engine) + config->worker_count * sizeof(*engine->stations));

	if (!engine || !(engine->program = strdup(config->program))) {
		fail(error, XDPLAB_STEP_MAKE_REGION, ENOMEM, "allocate an engine");
		goto free_engine;
	}
	engine->worker_count = config->worker_count;
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++)
		port_init(engine->ports + i);
	if (region_create(&engine->region, config->worker_count, config->sample_bytes,
			  config->publish_interval_ns, error))
		goto free_engine;
	for (uint32_t i = 0; i < config->worker_count; i++)
		station_set_defaults(&region_worker(&engine->region, i)->control, config);
	if (!configure(engine, config, error)) {
		region_set_simulated(&engine->region, engine->kind->simulated);
		return engine;
	}
	region_destroy(&engine->region);
free_engine:
	if (engine)
		free(engine->program);
	free(engine);
	return NULL;
}

static void lead_to(struct xdplab_engine *engine, uint32_t index, struct path *path)
{
	engine->stations[index].path = path;
	engine->stations[index].worker.rx = path;
	for (uint32_t i = 0; i < engine->worker_count; i++)
		if (engine->stations[i].config.transmit == index)
			engine->stations[i].worker.tx = path;
}

/* `socket` was given for it, or is -1. */
static int open_path(struct xdplab_engine *engine, uint32_t index, uint32_t interface_index, int socket,
		     bool umem_registered, struct xdplab_error *error)
{
	const struct path_place place = {
		.config = &engine->config,
		.worker = &engine->stations[index].config,
		.index = index,
		.interface_index = interface_index,
		.shared = engine->shared,
		.socket = socket,
		.umem_registered = umem_registered,
		.rebinds = engine->reconfigured,
	};
	struct path *path = engine->kind->open(&place, error);

	if (!path)
		return -error->code;
	path->given = socket >= 0;
	path->longest = engine->config.longest[place.worker->port];
	if (!path->longest)
		path->longest = UINT32_MAX;
	lead_to(engine, index, path);
	return 0;
}

static void close_paths(struct xdplab_engine *engine, uint32_t port)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct path *path = engine->stations[i].path;

		if (engine->stations[i].config.port != port || !path)
			continue;
		lead_to(engine, i, NULL);
		path->operations->close(path);
	}
}

static void leave_sockets(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		port_leave(engine->ports + engine->stations[i].config.port, engine->stations[i].config.queue);
}

static int enter_sockets(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct path *path = engine->stations[i].path;

		if (path->operations->attached &&
		    path->operations->attached(path, &engine->ports[engine->stations[i].config.port].xdp, error)) {
			leave_sockets(engine);
			return -error->code;
		}
	}
	return 0;
}

static int open_paths(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
		      const struct xdplab_given *given, struct xdplab_error *error)
{
	uint32_t opened = 0;

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const bool registered = given && given->umem_registered && !opened;

		if (engine->stations[i].config.port != port)
			continue;
		if (open_path(engine, i, interface_index, given ? given->sockets[opened] : -1, registered, error)) {
			close_paths(engine, port);
			return -error->code;
		}
		opened++;
	}
	return 0;
}

static struct xdp_options_of_port options_of(const struct xdplab_engine *engine, uint32_t port,
					     uint32_t interface_index)
{
	struct xdp_options_of_port options = {
		.program = engine->program,
		.interface_index = interface_index,
		.attach_mode = engine->config.attach_mode,
		.queues = XDPLAB_MAP_QUEUES,
		.queue_count = engine->config.queue_counts[port],
		.multi_buffer = engine->config.multi_buffer,
		.metadata = engine->config.metadata,
		.takes_all = engine->config.takes_all,
		.counts = engine->kind->counts,
		.address = engine->config.address,
		.wire = engine->kind->simulated ? engine->config.wires[port] : NULL,
		.end = engine->config.ends[port],
	};

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const struct xdplab_worker_config *worker = &engine->stations[i].config;

		if (worker->port != port)
			continue;
		options.workers++;
		if (worker->queue >= options.queues)
			options.queues = worker->queue + 1;
	}
	return options;
}

/* The program comes last, when all else is known to work: attaching it can make a driver set its rings up
 * anew. */
int xdplab_engine_open_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			    const struct xdplab_given *given, struct xdplab_error *error)
{
	const struct xdp_options_of_port options = options_of(engine, port, interface_index);

	if (open_paths(engine, port, interface_index, given, error))
		return -error->code;
	if (given)
		return !port_keeps(engine->ports + port, &options);
	if (!port_attach(engine->ports + port, &options, error))
		return 0;
	close_paths(engine, port);
	return -error->code;
}

int xdplab_engine_attach_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			      const struct xdplab_attachment *attachment, struct xdplab_error *error)
{
	const struct xdp_options_of_port options = options_of(engine, port, interface_index);

	if (!port_take(engine->ports + port, &options, attachment, error))
		return 0;
	close_paths(engine, port);
	return -error->code;
}

int xdplab_engine_resume(struct xdplab_engine *engine, struct xdplab_error *error)
{
	if (enter_sockets(engine, error))
		return -error->code;
	/* Who looked for a socket before has counted then that there was none. At first nobody minds. */
	if (engine->paused)
		programs_wait();
	engine->paused = false;
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		port_resume(engine->ports + port);
	return 0;
}

void xdplab_engine_pause(struct xdplab_engine *engine)
{
	engine->paused = true;
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		port_pause(engine->ports + port);
	leave_sockets(engine);
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->stations[i].worker;

		worker->ran = worker->joinable;
		/* Relaxed: it may make a few more. */
		atomic_store_explicit(&worker->draining, true, memory_order_relaxed);
	}
	programs_wait();
}

int xdplab_engine_umem(const struct xdplab_engine *engine, struct xdplab_umem *umem)
{
	if (!engine->shared || !engine->kind->umem)
		return -ENOENT;
	*umem = engine->kind->umem(engine->shared);
	return umem->descriptor < 0 ? -ENOENT : 0;
}

int xdplab_engine_start(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		if (worker_start(&engine->stations[i].worker, error)) {
			xdplab_engine_stop(engine);
			return -error->code;
		}
	}
	return 0;
}

void xdplab_engine_stop(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		worker_stop(&engine->stations[i].worker);
}

int xdplab_engine_started(const struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		if (engine->stations[i].worker.joinable)
			return 1;
	return 0;
}

void xdplab_engine_refresh(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->stations[i].worker;

		/* No path is left where a reconfiguration failed. */
		if (!worker->joinable && worker->rx && worker->tx)
			publish_record(worker, clock_ns(CLOCK_MONOTONIC));
	}
}

/* Gives back what depends on the configuration. The last records say what the rings held. */
static void release(struct xdplab_engine *engine)
{
	xdplab_engine_stop(engine);
	xdplab_engine_refresh(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		close_paths(engine, port);
	free_workers(engine);
	free_shared(engine);
}

int xdplab_engine_reconfigure(struct xdplab_engine *engine, const struct xdplab_config *config,
			      struct xdplab_error *error)
{
	release(engine);
	engine->reconfigured = true;
	return configure(engine, config, error);
}

uint32_t xdplab_engine_detachments(const struct xdplab_engine *engine)
{
	uint32_t sum = 0;

	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		sum += engine->ports[port].detachments;
	return sum;
}

void xdplab_engine_close(struct xdplab_engine *engine)
{
	xdplab_engine_stop(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		port_close(engine->ports + port);
	release(engine);
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++)
		port_destroy(engine->ports + i);
	region_destroy(&engine->region);
	free(engine->program);
	free(engine);
}

int xdplab_engine_descriptor(const struct xdplab_engine *engine)
{
	return engine->region.descriptor;
}

struct xdplab_control *xdplab_engine_control(const struct xdplab_engine *engine, uint32_t worker)
{
	return &region_worker(&engine->region, worker)->control;
}

int xdplab_engine_zero_copy(const struct xdplab_engine *engine)
{
	return engine->stations[0].path && engine->stations[0].path->zero_copy;
}

int xdplab_engine_huge_pages(const struct xdplab_engine *engine)
{
	return engine->stations[0].path && engine->stations[0].path->huge_pages;
}

int xdplab_engine_verdicts(const struct xdplab_engine *engine, uint32_t port, struct xdplab_verdicts *verdicts)
{
	return port_verdicts(engine->ports + port, verdicts);
}

int xdplab_engine_hold(struct xdplab_engine *engine, uint32_t port, struct xdplab_hold *hold)
{
	struct port *self = engine->ports + port;

	if (port_look(self, hold))
		return -ENOENT;
	for (uint32_t i = 0; i < engine->worker_count && !hold->taken_off && !self->paused; i++) {
		struct path *path = engine->stations[i].path;

		if (engine->stations[i].config.port == port && path && path->operations->is_reached &&
		    !path->operations->is_reached(path, &self->xdp))
			hold->unserved = (int32_t)path->queue;
	}
	return 0;
}

int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	return index < WAIT_COUNT ? engine->stations[worker].worker.refusals[index] : EINVAL;
}

const char *xdplab_engine_wait_ineffective(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	if (index >= WAIT_COUNT || !wait_strategies[index]->ineffective || !engine->stations[worker].path)
		return NULL;
	return wait_strategies[index]->ineffective(&engine->stations[worker].worker);
}

void xdplab_engine_set_napi(struct xdplab_engine *engine, uint32_t worker, uint32_t napi)
{
	engine->stations[worker].worker.napi = napi;
}
