/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/engine.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "shared/wait.h"
#include "worker/capture.h"
#include "worker/publish.h"

static void free_workers(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		engine_worker_free(engine->workers + i);
}

static int set_up_workers(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct engine_worker *each = engine->workers + i;

		if (engine_worker_set_up(each, &engine->config, &engine->region, i, error))
			return -error->code;
		each->worker.port = engine->ports + each->config.port;
	}
	return 0;
}

static void free_shared(struct xdplab_engine *engine)
{
	if (engine->shared)
		engine->kind->unshare(engine->shared);
	engine->shared = NULL;
}

static int copy_match(struct xdplab_engine *engine, const struct xdplab_match *match)
{
	const size_t size = match->count * sizeof(struct sock_filter);
	uint8_t *copy = NULL;

	if (match->count == engine->match.count && (!size || !memcmp(match->instructions, engine->match.instructions, size)))
		return 0;
	if (size) {
		copy = malloc(size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, match->instructions, size);
	}
	free((void *)engine->match.instructions);
	engine->match.instructions = copy;
	engine->match.count = match->count;
	engine->match.version++;
	return 0;
}

/* Copies the configuration, and allocates everything that depends on it. */
static int configure(struct xdplab_engine *engine, const struct xdplab_config *config, struct xdplab_error *error)
{
	if (copy_match(engine, &config->match))
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, ENOMEM, "keep the packet filter of match");
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
		calloc(1, sizeof(*engine) + config->worker_count * sizeof(*engine->workers));

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
		engine_worker_set_defaults(&region_worker(&engine->region, i)->control, config);
	if (!configure(engine, config, error)) {
		region_set_simulated(&engine->region, engine->kind->simulated);
		return engine;
	}
	region_destroy(&engine->region);
free_engine:
	if (engine) {
		free((void *)engine->match.instructions);
		free(engine->program);
	}
	free(engine);
	return NULL;
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
		struct worker *worker = &engine->workers[i].worker;

		if (worker->delivery ? capture_begin(worker, error) : worker_start(worker, error)) {
			xdplab_engine_stop(engine);
			return -error->code;
		}
	}
	return 0;
}

int xdplab_engine_stop(struct xdplab_engine *engine)
{
	int result = 0;

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->workers[i].worker;

		/* Callers have ended their calls, but one that a handler holds: its worker stays as it is, even if that
		 * handler returns now. */
		if (!worker_stop(worker) || atomic_load_explicit(&worker->in_call, memory_order_acquire))
			result = -EBUSY;
		else
			capture_end(worker);
	}
	return result;
}

int xdplab_engine_started(const struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const struct worker *worker = &engine->workers[i].worker;

		if (worker->joinable || worker->delivery)
			return 1;
	}
	return 0;
}

void xdplab_engine_refresh(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->workers[i].worker;

		/* No path is left where a reconfiguration failed. */
		if (!worker->joinable && worker->rx && worker->tx)
			publish_record(worker, clock_ns(CLOCK_MONOTONIC));
	}
}

/* Frees everything that depends on the configuration of a stopped engine. The last records have the rings' last state. */
static void release(struct xdplab_engine *engine)
{
	xdplab_engine_refresh(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		engine_close_paths(engine, port);
	free_workers(engine);
	free_shared(engine);
}

int xdplab_engine_reconfigure(struct xdplab_engine *engine, const struct xdplab_config *config,
			      struct xdplab_error *error)
{
	if (xdplab_engine_stop(engine))
		return fail(error, XDPLAB_STEP_NONE, EBUSY, "stop a worker whose handler does not return");
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

int xdplab_engine_close(struct xdplab_engine *engine)
{
	const bool stopped = !xdplab_engine_stop(engine);

	/* Those that stay would go on taking packets from a program of the user's. */
	if (!stopped)
		engine_leave_sockets(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		port_close(engine->ports + port);
	if (!stopped)
		return -EBUSY;
	release(engine);
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++)
		port_destroy(engine->ports + i);
	region_destroy(&engine->region);
	free((void *)engine->match.instructions);
	free(engine->program);
	free(engine);
	return 0;
}

int xdplab_engine_give_back(struct xdplab_engine **held)
{
	struct xdplab_engine *given = *held;

	*held = NULL;
	return given ? xdplab_engine_close(given) : 0;
}

int xdplab_engine_descriptor(const struct xdplab_engine *engine)
{
	return engine->region.descriptor;
}

struct xdplab_control *xdplab_engine_control(const struct xdplab_engine *engine, uint32_t worker)
{
	return &region_worker(&engine->region, worker)->control;
}

int xdplab_engine_zero_copy(const struct xdplab_engine *engine, uint32_t worker)
{
	return engine->workers[worker].path && engine->workers[worker].path->zero_copy;
}

int xdplab_engine_huge_pages(const struct xdplab_engine *engine)
{
	return engine->workers[0].path && engine->workers[0].path->huge_pages;
}

int xdplab_engine_verdicts(const struct xdplab_engine *engine, uint32_t port, struct xdplab_verdicts *verdicts)
{
	return port_verdicts(engine->ports + port, verdicts);
}

int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	return index < WAIT_COUNT ? engine->workers[worker].worker.refusals[index] : EINVAL;
}

const char *xdplab_engine_wait_ineffective(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	if (index >= WAIT_COUNT || !wait_strategies[index]->ineffective || !engine->workers[worker].path)
		return NULL;
	return wait_strategies[index]->ineffective(&engine->workers[worker].worker);
}

void xdplab_engine_set_napi(struct xdplab_engine *engine, uint32_t worker, uint32_t napi)
{
	engine->workers[worker].worker.napi = napi;
}
