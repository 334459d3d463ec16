/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "path_xsk.h"
#include "region.h"
#include "wait.h"
#include "worker.h"
#include "xdp.h"

/* One queue, one worker. */
enum { WORKERS = 1 };

/* What a worker does until told otherwise: it sleeps, since a spinning one would take a whole core. */
enum { DEFAULT_BATCH = 64, DEFAULT_BURST = 256, DEFAULT_SAMPLE_EVERY = 1000, DEFAULT_WAIT = WAIT_poll };

struct xdplab_engine {
	struct xdp xdp;
	struct path_xsk path;
	struct xdplab_region region;
	struct worker worker;
};

static void set_defaults(struct xdplab_control *control)
{
	/* Nobody reads it yet. */
	atomic_init(&control->batch, DEFAULT_BATCH);
	atomic_init(&control->burst, DEFAULT_BURST);
	atomic_init(&control->sample_every, DEFAULT_SAMPLE_EVERY);
	atomic_init(&control->wait, DEFAULT_WAIT);
}

static int set_up_worker(struct xdplab_engine *engine, const struct xdplab_config *config,
			 struct xdplab_error *error)
{
	engine->worker = (struct worker){
		.rx = &engine->path.path,
		.tx = &engine->path.path,
		.region = &engine->region,
		.block = region_worker(&engine->region, 0),
		.queue = config->queue,
		.cpu = config->cpu,
		.frames_limit = config->ring_size,
		.frames = calloc(config->ring_size, sizeof(struct xdp_desc)),
	};
	if (!engine->worker.frames)
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a batch of %u descriptors",
			    config->ring_size);
	set_defaults(&engine->worker.block->control);
	return 0;
}

/* The program comes last, when all else is known to work: attaching it can make a driver set its rings up
 * anew, and from then on it takes packets. */
struct xdplab_engine *xdplab_engine_open(const struct xdplab_config *config, struct xdplab_error *error)
{
	struct xdplab_engine *engine = calloc(1, sizeof(*engine));

	if (!engine) {
		fail(error, XDPLAB_STEP_MAKE_REGION, ENOMEM, "allocate an engine");
		return NULL;
	}
	if (path_xsk_open(&engine->path, config, error))
		goto free_engine;
	if (region_create(&engine->region, WORKERS, config->sample_bytes, config->publish_interval_ns, error))
		goto close_path;
	if (set_up_worker(engine, config, error))
		goto destroy_region;
	if (xdp_attach(&engine->xdp, config, error))
		goto free_frames;
	if (xdp_enter_socket(&engine->xdp, config->queue, engine->path.xsk.descriptor, error))
		goto detach;
	return engine;
detach:
	xdp_detach(&engine->xdp);
free_frames:
	free(engine->worker.frames);
destroy_region:
	region_destroy(&engine->region);
close_path:
	engine->path.path.operations->close(&engine->path.path);
free_engine:
	free(engine);
	return NULL;
}

int xdplab_engine_start(struct xdplab_engine *engine, struct xdplab_error *error)
{
	return worker_start(&engine->worker, error);
}

void xdplab_engine_stop(struct xdplab_engine *engine)
{
	worker_stop(&engine->worker);
}

void xdplab_engine_close(struct xdplab_engine *engine)
{
	worker_stop(&engine->worker);
	xdp_detach(&engine->xdp);
	engine->path.path.operations->close(&engine->path.path);
	region_destroy(&engine->region);
	free(engine->worker.frames);
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
	return xsk_zero_copy(&engine->path.xsk);
}

int xdplab_engine_verdicts(const struct xdplab_engine *engine, struct xdplab_verdicts *verdicts)
{
	return xdp_verdicts(&engine->xdp, verdicts);
}

int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t index)
{
	return index < WAIT_COUNT ? engine->worker.refusals[index] : EINVAL;
}
