/* SPDX-License-Identifier: Apache-2.0 */
#include "include/handler.h"

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "worker/engine.h"

/* A handler that has not returned for so long may never do so. */
#define PATIENCE_NS (3 * 1000 * 1000 * 1000ull)

void xdplab_engine_set_handler(struct xdplab_engine *engine, const struct xdplab_handling *handling)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		atomic_store(&engine->workers[i].worker.handling, handling);
}

static uint64_t inside(const struct worker *worker)
{
	return atomic_load(&worker->block->watch.handler_ns);
}

uint64_t xdplab_engine_inside_handler(const struct xdplab_engine *engine, uint32_t worker)
{
	return inside(&engine->workers[worker].worker);
}

int xdplab_engine_is_held(const struct xdplab_engine *engine, uint32_t worker)
{
	return worker_is_held(&engine->workers[worker].worker);
}

bool worker_is_held(const struct worker *worker)
{
	const uint64_t begun_ns = inside(worker);

	return begun_ns && clock_ns(CLOCK_MONOTONIC) > begun_ns + PATIENCE_NS;
}
