/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/engine_worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "xsk/umem.h"

/* Defaults. The worker sleeps, since a spinning one would take a whole core. */
enum { DEFAULT_BATCH = 64, DEFAULT_BURST = 256, DEFAULT_SAMPLE_EVERY = 1000, DEFAULT_WAIT = WAIT_poll };
enum { DEFAULT_HANDLER_BUDGET_NS = 1000 * 1000 };
enum { DEFAULT_SPIN_NS = 50000, DEFAULT_SPIN_SHARE_PPM = 1000000 };
enum { DEFAULT_BUSY_POLL_MICROSECONDS = 20, DEFAULT_BUSY_POLL_BUDGET = 64 };
enum { DEFAULT_TIMER_NS = 200000 };

void engine_worker_set_defaults(struct xdplab_control *control, const struct xdplab_config *config)
{
	atomic_init(&control->batch, DEFAULT_BATCH);
	atomic_init(&control->burst, DEFAULT_BURST);
	atomic_init(&control->sample_every, DEFAULT_SAMPLE_EVERY);
	atomic_init(&control->wait, DEFAULT_WAIT);
	atomic_init(&control->spin_ns, DEFAULT_SPIN_NS);
	atomic_init(&control->spin_share_ppm, DEFAULT_SPIN_SHARE_PPM);
	atomic_init(&control->busy_poll_microseconds, DEFAULT_BUSY_POLL_MICROSECONDS);
	atomic_init(&control->busy_poll_budget, DEFAULT_BUSY_POLL_BUDGET);
	atomic_init(&control->timer_ns, DEFAULT_TIMER_NS);
	atomic_init(&control->handler_budget_ns, DEFAULT_HANDLER_BUDGET_NS);
	atomic_init(&control->action, config->action);
	if (config->stream)
		atomic_init(&control->interval_ps, config->stream->interval_ps);
}

static int set_up_stream(struct worker *worker, const struct xdplab_config *config, struct xdplab_error *error)
{
	worker->stream = stream_create(config->stream);
	if (!worker->stream)
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a stream");
	if (worker->streamed.flows)
		stream_follow(worker->stream, &worker->streamed, worker->ran);
	return 0;
}

/* An engine's counts survive its reconfiguration. The rings begin empty: frames in the old ones are in none now. Frames
 * that the kernel had taken to send count as sent, though their completion is never seen. */
static struct xdplab_counters kept_counters(const struct worker *worker)
{
	struct xdplab_counters kept = worker->counters;

	kept.rx_closed += kept.rx_producer - kept.rx_consumer;
	kept.tx_closed += kept.tx_producer - kept.tx_consumer;
	kept.fill_consumer = kept.fill_producer;
	kept.held = 0;
	kept.rx_consumer = kept.rx_producer;
	kept.tx_consumer = kept.tx_producer;
	kept.completion_consumer = kept.completion_producer = kept.tx_producer;
	return kept;
}

static int set_up_spares(struct worker *worker, const struct xdplab_config *config, struct xdplab_error *error)
{
	const uint64_t first =
		(uint64_t)worker->index * umem_frames_of_worker(config) + umem_received_frames(config);
	const uint32_t count = umem_spare_frames(config);
	const uint32_t room = config->transmit_metadata ? XDPLAB_TRANSMIT_METADATA : 0;

	worker->spares = count ? spares_create(config->frame_size, first, count, room) : NULL;
	if (count && !worker->spares)
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a list of %u frames", count);
	return 0;
}

int engine_worker_set_up(struct engine_worker *one, const struct xdplab_config *config,
			 const struct xdplab_region *region, uint32_t index, struct xdplab_error *error)
{
	struct worker *worker = &one->worker;
	const struct xdplab_counters kept = kept_counters(worker);
	const struct traffic_state streamed = worker->streamed;
	const bool ran = worker->ran;
	const struct xdplab_handling *const handling = atomic_load(&worker->handling);

	one->config = config->workers[index];
	*worker = (struct worker){
		.region = region,
		.block = region_worker(region, index),
		.index = index,
		.queue = one->config.queue,
		.cpu = one->config.cpu,
		.realtime = one->config.realtime,
		.frames_limit = config->ring_size,
		.frame_size = config->frame_size,
		.asks_device = config->transmit_metadata,
		.clock_offset_ns = clock_offset_ns(),
		.frames = calloc(config->ring_size, sizeof(struct xdp_desc)),
		.counters = kept,
		.base = kept,
		.ran = ran,
		.handling = handling,
		.streamed = streamed,
	};
	if (!worker->frames)
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a batch of %u descriptors",
			    config->ring_size);
	if (config->delivers && !(worker->delivery = calloc(1, sizeof(*worker->delivery))))
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a capture");
	if (set_up_spares(worker, config, error))
		return -error->code;
	return config->stream ? set_up_stream(worker, config, error) : 0;
}

void engine_worker_free(struct engine_worker *one)
{
	if (one->worker.stream)
		one->worker.streamed = one->worker.stream->traffic;
	free(one->worker.stream);
	if (one->worker.delivery)
		free(one->worker.delivery->filter);
	free(one->worker.delivery);
	free(one->worker.spares);
	free(one->worker.frames);
	one->worker.stream = NULL;
	one->worker.delivery = NULL;
	one->worker.spares = NULL;
	one->worker.frames = NULL;
}
