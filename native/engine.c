/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "path_xsk.h"
#include "publish.h"
#include "region.h"
#include "wait.h"
#include "worker.h"
#include "xdp.h"

/* What a worker does until told otherwise: it sleeps, since a spinning one would take a whole core. */
enum { DEFAULT_BATCH = 64, DEFAULT_BURST = 256, DEFAULT_SAMPLE_EVERY = 1000, DEFAULT_WAIT = WAIT_poll };
enum { DEFAULT_SPIN_NS = 50000, DEFAULT_BUSY_POLL_MICROSECONDS = 20, DEFAULT_BUSY_POLL_BUDGET = 64 };

/* A worker with the socket that it receives from, and sends through unless told otherwise. */
struct station {
	struct worker worker;
	struct path_xsk path;
	struct xdplab_worker_config config;
};

struct port {
	struct xdp xdp;
	bool open;
	struct xdplab_verdicts base; /* of programs that were attached before */
};

struct xdplab_engine {
	struct xdplab_config config; /* its pointers are good only until it is open */
	char *program;
	struct umem umem;
	struct xdplab_region region;
	struct port ports[XDPLAB_PORTS];
	uint32_t worker_count;
	struct station stations[];
};

/* Twice the RX ring for each worker: where frames are lost, it is then the RX ring that was full, and never
 * both reasons at once. */
static uint32_t received_frames(const struct xdplab_engine *engine)
{
	return 2 * engine->config.ring_size;
}

/* With a stream, what the TX ring holds on top. */
static uint32_t frames_of_worker(const struct xdplab_engine *engine)
{
	return received_frames(engine) + (engine->config.stream ? engine->config.ring_size : 0);
}

static void set_defaults(struct xdplab_control *control, uint32_t action)
{
	/* Nobody reads it yet. */
	atomic_init(&control->batch, DEFAULT_BATCH);
	atomic_init(&control->burst, DEFAULT_BURST);
	atomic_init(&control->sample_every, DEFAULT_SAMPLE_EVERY);
	atomic_init(&control->wait, DEFAULT_WAIT);
	atomic_init(&control->spin_ns, DEFAULT_SPIN_NS);
	atomic_init(&control->busy_poll_microseconds, DEFAULT_BUSY_POLL_MICROSECONDS);
	atomic_init(&control->busy_poll_budget, DEFAULT_BUSY_POLL_BUDGET);
	atomic_init(&control->action, action);
}

static int set_up_stream(const struct xdplab_engine *engine, struct worker *worker, struct xdplab_error *error)
{
	const uint64_t first = (uint64_t)worker->index * frames_of_worker(engine) + received_frames(engine);

	worker->stream = stream_create(engine->config.stream, engine->config.frame_size, first,
				       engine->config.ring_size);
	if (!worker->stream)
		return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a stream of %u frames",
			    engine->config.ring_size);
	atomic_init(&worker->block->control.interval_ps, worker->stream->traffic.interval_ps);
	return 0;
}

static void free_workers(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->stations[i].worker;

		free(worker->stream);
		free(worker->frames);
		worker->stream = NULL;
		worker->frames = NULL;
	}
}

static int set_up_workers(struct xdplab_engine *engine, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct station *station = engine->stations + i;
		/* What an engine counted survives its reconfiguration. The rings were drained, and begin anew: what
		 * they held then is in none of them now. */
		struct xdplab_counters kept = station->worker.counters;

		kept.fill_consumer = kept.fill_producer;
		kept.rx_consumer = kept.rx_producer;
		kept.tx_consumer = kept.tx_producer;
		kept.completion_consumer = kept.completion_producer = kept.tx_producer;
		station->worker = (struct worker){
			.rx = &station->path.path,
			.tx = &engine->stations[station->config.transmit].path.path,
			.region = &engine->region,
			.block = region_worker(&engine->region, i),
			.index = i,
			.queue = station->config.queue,
			.cpu = station->config.cpu,
			.realtime = station->config.realtime,
			.frames_limit = engine->config.ring_size,
			.frames = calloc(engine->config.ring_size, sizeof(struct xdp_desc)),
			.counters = kept,
			.base = kept,
		};
		if (!station->worker.frames)
			return fail(error, XDPLAB_STEP_START_THREAD, ENOMEM, "allocate a batch of %u descriptors",
				    engine->config.ring_size);
		if (engine->config.stream && set_up_stream(engine, &station->worker, error))
			return -error->code;
	}
	return 0;
}

static int allocate_frames(struct xdplab_engine *engine, struct xdplab_error *error)
{
	const struct umem_options options = {
		.frame_size = engine->config.frame_size,
		.frame_count = frames_of_worker(engine) * engine->worker_count,
		.headroom = engine->config.headroom,
		.huge_pages = engine->config.huge_pages,
		.unaligned = engine->config.unaligned,
	};

	return umem_allocate(&engine->umem, &options, error);
}

/* Takes the configuration over, and allocates what depends on it. */
static int configure(struct xdplab_engine *engine, const struct xdplab_config *config, struct xdplab_error *error)
{
	engine->config = *config;
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		engine->stations[i].config = config->workers[i];
		engine->stations[i].path.xsk.descriptor = -1;
	}
	if (allocate_frames(engine, error))
		return -error->code;
	if (!set_up_workers(engine, error))
		return 0;
	free_workers(engine);
	umem_free(&engine->umem);
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
	if (region_create(&engine->region, config->worker_count, config->sample_bytes,
			  config->publish_interval_ns, error))
		goto free_engine;
	for (uint32_t i = 0; i < config->worker_count; i++)
		set_defaults(&region_worker(&engine->region, i)->control, config->action);
	if (!configure(engine, config, error))
		return engine;
	region_destroy(&engine->region);
free_engine:
	if (engine)
		free(engine->program);
	free(engine);
	return NULL;
}

/* The first socket that is open has the UMEM, and the others share it; -1 for none. */
static int umem_owner(const struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++)
		if (engine->stations[i].path.xsk.descriptor >= 0)
			return engine->stations[i].path.xsk.descriptor;
	return -1;
}

static int open_socket(struct xdplab_engine *engine, uint32_t index, uint32_t interface_index,
		       struct xdplab_error *error)
{
	struct station *station = engine->stations + index;
	const uint32_t frames = received_frames(engine);
	const struct xsk_options options = {
		.interface_index = interface_index,
		.queue = station->config.queue,
		.ring_size = engine->config.ring_size,
		.fill_ring_size = frames,
		.bind_mode = engine->config.bind_mode,
		.first_frame = index * frames_of_worker(engine),
		.fill_frames = frames,
		.multi_buffer = engine->config.multi_buffer,
		.metadata = engine->config.metadata,
		.umem_owner = umem_owner(engine),
	};

	if (path_xsk_open(&station->path, &engine->umem, &options, error)) {
		station->path.xsk.descriptor = -1;
		return -error->code;
	}
	return 0;
}

static void close_sockets(struct xdplab_engine *engine, uint32_t port)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct station *station = engine->stations + i;

		if (station->config.port != port || station->path.xsk.descriptor < 0)
			continue;
		station->path.path.operations->close(&station->path.path);
		station->path.xsk.descriptor = -1;
	}
}

static int enter_sockets(struct xdplab_engine *engine, uint32_t port, struct xdplab_error *error)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const struct station *station = engine->stations + i;

		if (station->config.port == port &&
		    xdp_enter_socket(&engine->ports[port].xdp, station->config.queue,
				     station->path.xsk.descriptor, error))
			return -error->code;
	}
	return 0;
}

/* The program comes last, when all else is known to work: attaching it can make a driver set its rings up
 * anew, and from then on it takes packets. */
int xdplab_engine_open_port(struct xdplab_engine *engine, uint32_t port, uint32_t interface_index,
			    struct xdplab_error *error)
{
	struct xdp_options_of_port options = {
		.program = engine->program,
		.interface_index = interface_index,
		.attach_mode = engine->config.attach_mode,
		.multi_buffer = engine->config.multi_buffer,
		.metadata = engine->config.metadata,
		.takes_all = engine->config.takes_all,
	};

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		const struct xdplab_worker_config *worker = &engine->stations[i].config;

		if (worker->port != port)
			continue;
		if (worker->queue >= options.queues)
			options.queues = worker->queue + 1;
		if (open_socket(engine, i, interface_index, error))
			goto close;
	}
	if (xdp_attach(&engine->ports[port].xdp, &options, error))
		goto close;
	engine->ports[port].open = true;
	if (!enter_sockets(engine, port, error))
		return 0;
	xdp_detach(&engine->ports[port].xdp);
	engine->ports[port].open = false;
close:
	close_sockets(engine, port);
	return -error->code;
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

void xdplab_engine_refresh(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker *worker = &engine->stations[i].worker;

		/* No socket is left where a reconfiguration failed. */
		if (!worker->joinable && umem_owner(engine) >= 0)
			publish_record(worker, clock_ns(CLOCK_MONOTONIC));
	}
}

void xdplab_engine_detach(struct xdplab_engine *engine)
{
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++) {
		struct port *port = engine->ports + i;
		struct xdplab_verdicts total;

		if (!port->open)
			continue;
		if (!xdplab_engine_verdicts(engine, i, &total))
			port->base = total;
		xdp_detach(&port->xdp);
		port->open = false;
	}
}

/* Gives back what depends on the configuration. */
static void release(struct xdplab_engine *engine)
{
	xdplab_engine_stop(engine);
	xdplab_engine_detach(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		close_sockets(engine, port);
	free_workers(engine);
	umem_free(&engine->umem);
}

int xdplab_engine_reconfigure(struct xdplab_engine *engine, const struct xdplab_config *config,
			      struct xdplab_error *error)
{
	release(engine);
	return configure(engine, config, error);
}

void xdplab_engine_close(struct xdplab_engine *engine)
{
	release(engine);
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
	return xsk_zero_copy(&engine->stations[0].path.xsk);
}

int xdplab_engine_huge_pages(const struct xdplab_engine *engine)
{
	return engine->umem.huge;
}

int xdplab_engine_verdicts(const struct xdplab_engine *engine, uint32_t port, struct xdplab_verdicts *verdicts)
{
	const struct port *self = engine->ports + port;
	int result;

	*verdicts = (struct xdplab_verdicts){ 0 };
	if (self->open && (result = xdp_verdicts(&self->xdp, verdicts)))
		return result;
	verdicts->redirected += self->base.redirected;
	verdicts->passed += self->base.passed;
	verdicts->no_socket += self->base.no_socket;
	return 0;
}

int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	return index < WAIT_COUNT ? engine->stations[worker].worker.refusals[index] : EINVAL;
}

const char *xdplab_engine_wait_ineffective(const struct xdplab_engine *engine, uint32_t worker, uint32_t index)
{
	if (index >= WAIT_COUNT || !wait_strategies[index]->ineffective)
		return NULL;
	return wait_strategies[index]->ineffective(&engine->stations[worker].worker);
}

void xdplab_engine_set_napi(struct xdplab_engine *engine, uint32_t worker, uint32_t napi)
{
	engine->stations[worker].worker.napi = napi;
}
