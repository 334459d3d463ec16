/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>

#include "worker/engine.h"
#include "xdp/program.h"

static void lead_to(struct xdplab_engine *engine, uint32_t index, struct path *path)
{
	engine->workers[index].path = path;
	engine->workers[index].worker.rx = path;
	for (uint32_t i = 0; i < engine->worker_count; i++)
		if (engine->workers[i].config.transmit == index)
			engine->workers[i].worker.tx = path;
}

/* `socket` is the given socket, or -1. */
static int open_path(struct xdplab_engine *engine, uint32_t index, uint32_t interface_index, int socket,
		     bool umem_registered, struct xdplab_error *error)
{
	const struct path_place place = {
		.config = &engine->config,
		.worker = &engine->workers[index].config,
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

void engine_close_paths(struct xdplab_engine *engine, uint32_t port)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct path *path = engine->workers[i].path;

		if (engine->workers[i].config.port != port || !path)
			continue;
		lead_to(engine, i, NULL);
		path->operations->close(path);
	}
}

void engine_leave_sockets(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		port_leave(engine->ports + engine->workers[i].config.port, engine->workers[i].config.entry);
}

static int enter_sockets(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct path *path = engine->workers[i].path;

		if (path->operations->attached &&
		    path->operations->attached(path, &engine->ports[engine->workers[i].config.port].xdp, error)) {
			engine_leave_sockets(engine);
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

		if (engine->workers[i].config.port != port)
			continue;
		if (open_path(engine, i, interface_index, given ? given->sockets[opened] : -1, registered, error)) {
			engine_close_paths(engine, port);
			return -error->code;
		}
		opened++;
	}
	return 0;
}

static struct program_options options_of(const struct xdplab_engine *engine, uint32_t port,
					     uint32_t interface_index)
{
	struct program_options options = {
		.kind = engine->config.users_program ? &xdp_users : engine->kind->programs,
		.attach = {
			.program = engine->program,
			.interface_index = interface_index,
			.attach_mode = engine->config.attach_mode,
			.queues = XDPLAB_MAP_QUEUES,
			.multi_buffer = engine->config.multi_buffer,
			.metadata = engine->config.metadata,
			.takes_all = engine->config.takes_all,
			.match = engine->match,
			.counts = engine->kind->counts,
			.address = engine->config.address,
		},
		.queue_count = engine->config.queue_counts[port],
		.wire = engine->config.wires[port],
		.end = engine->config.ends[port],
	};

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const struct xdplab_worker_config *worker = &engine->workers[i].config;

		if (worker->port != port)
			continue;
		options.workers++;
		if (worker->queue >= options.attach.queues)
			options.attach.queues = worker->queue + 1;
	}
	return options;
}

/* The program is attached last, when everything else has worked: it can make a driver set up its rings anew. */
int xdplab_engine_open_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			    const struct xdplab_given *given, struct xdplab_error *error)
{
	const struct program_options options = options_of(engine, port, interface_index);

	if (open_paths(engine, port, interface_index, given, error))
		return -error->code;
	if (given || engine->config.users_program)
		return !port_keeps(engine->ports + port, &options);
	if (!port_attach(engine->ports + port, &options, error))
		return 0;
	engine_close_paths(engine, port);
	return -error->code;
}

int xdplab_engine_attach_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			      const struct xdplab_attachment *attachment, struct xdplab_error *error)
{
	const struct program_options options = options_of(engine, port, interface_index);

	if (!port_take(engine->ports + port, &options, attachment, error))
		return 0;
	engine_close_paths(engine, port);
	return -error->code;
}

int xdplab_engine_take_map(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index, int32_t map,
			   struct xdplab_error *error)
{
	const struct program_options options = options_of(engine, port, interface_index);

	if (!port_take_users(engine->ports + port, &options, map, error))
		return 0;
	engine_close_paths(engine, port);
	return -error->code;
}

void xdplab_engine_leave_map(struct xdplab_engine *engine, uint32_t port, int32_t map)
{
	const struct xdp other = { .sockets = map };

	for (uint32_t i = 0; i < engine->worker_count; i++)
		if (engine->workers[i].config.port == port)
			engine->ports[port].xdp.operations->leave(&other, engine->workers[i].config.entry);
}

int xdplab_engine_enter_map(struct xdplab_engine *engine, uint32_t port, int32_t map, struct xdplab_error *error)
{
	const struct xdp other = { .sockets = map };

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct path *path = engine->workers[i].path;

		if (engine->workers[i].config.port != port || !path)
			continue;
		if (path->operations->attached(path, &other, error)) {
			xdplab_engine_leave_map(engine, port, map);
			return -error->code;
		}
	}
	return 0;
}

int xdplab_engine_change_map(struct xdplab_engine *engine, uint32_t port, int32_t map, struct xdplab_error *error)
{
	struct port *self = engine->ports + port;
	struct xdp before = self->xdp;

	if (xdp_take_users(&self->xdp, map, error)) {
		self->xdp = before;
		return -error->code;
	}
	/* A run of the former program may still look into its map. */
	programs_wait();
	xdplab_engine_leave_map(engine, port, before.sockets);
	before.operations->close(&before);
	return 0;
}

int xdplab_engine_resume(struct xdplab_engine *engine, struct xdplab_error *error)
{
	if (enter_sockets(engine, error))
		return -error->code;
	/* Program runs that looked for a socket before have counted their packets as without a socket. That matters
	 * only if the engine was paused. */
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
	engine_leave_sockets(engine);
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->workers[i].worker;

		worker->ran = worker->joinable;
		/* Relaxed: it may make a few more. */
		atomic_store_explicit(&worker->draining, true, memory_order_relaxed);
	}
	programs_wait();
}

int xdplab_engine_hold(struct xdplab_engine *engine, uint32_t port, struct xdplab_hold *hold)
{
	if (port_look(engine->ports + port, hold))
		return -ENOENT;
	if (!hold->taken_off)
		hold->unserved = xdplab_engine_unserved(engine, port);
	return 0;
}

int32_t xdplab_engine_unserved(struct xdplab_engine *engine, uint32_t port)
{
	struct port *self = engine->ports + port;
	int32_t unserved = -1;

	for (uint32_t i = 0; i < engine->worker_count && !self->paused; i++) {
		struct path *path = engine->workers[i].path;

		if (engine->workers[i].config.port == port && path && path->operations->is_reached &&
		    !path->operations->is_reached(path, &self->xdp))
			unserved = (int32_t)path->queue;
	}
	return unserved;
}
