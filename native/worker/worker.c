/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/knob.h"
#include "base/thread.h"
#include "worker/loop.h"
#include "worker/publish.h"
#include "xdp/port.h"

/* Between two looks whether the thread has ended: a handler may keep it from that for ever. */
#define JOIN_NAP_NS (100 * 1000)

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	bool usable;

	wait_prepare_all(worker);
	usable = !worker->refusal;
	sem_post(&worker->prepared);
	if (usable) {
		publish_begin(worker);
		worker->counters.state = XDPLAB_STATE_RUNNING;
		if (worker->stream)
			stream_begin(worker->stream, clock_ns(CLOCK_MONOTONIC));
		loop_begin(worker);
		/* Acquire pairs with the release in worker_stop. */
		while (!atomic_load_explicit(&worker->stop, memory_order_acquire) && loop_turn(worker, UINT64_MAX))
			;
		if (worker->counters.fault)
			port_worker_ended(worker->port, worker->rx->entry);
		worker->counters.streams = 0;
		worker->counters.state = worker->counters.fault ? XDPLAB_STATE_FAILED : XDPLAB_STATE_STOPPED;
		publish(worker, clock_ns(CLOCK_MONOTONIC));
	}
	wait_release_all(worker);
	return NULL;
}

int worker_start(struct worker *worker, struct xdplab_error *error)
{
	const uint32_t wait = clamp(knob(&worker->block->control.wait), 0, WAIT_COUNT - 1);

	if (worker->joinable)
		return 0;
	if (worker->counters.fault)
		return fail(error, XDPLAB_STEP_NONE, (int)worker->counters.fault, "start a worker whose path has ended");
	/* The state after a reconfiguration that failed twice. */
	if (!worker->rx || !worker->tx)
		return fail(error, XDPLAB_STEP_NONE, ENOTCONN, "start a worker whose path is closed");
	worker->wait_index = wait;
	pace_begin(worker); /* here, so that a step requested from now on is taken */
	atomic_store_explicit(&worker->stop, false, memory_order_relaxed); /* the thread begins after this */
	sem_init(&worker->prepared, 0, 0);
	if (thread_start(&worker->thread, worker->cpu, worker->realtime, "xdplab-worker", worker_main, worker, error)) {
		sem_destroy(&worker->prepared);
		return -error->code;
	}
	worker->joinable = true;
	while (sem_wait(&worker->prepared) && errno == EINTR)
		;
	sem_destroy(&worker->prepared);
	if (!worker->refusal)
		return 0;
	worker_stop(worker);
	if (worker->rx->operations->wait)
		return fail(error, XDPLAB_STEP_PREPARE_PATH, worker->refusal, "prepare the receive path");
	return fail(error, XDPLAB_STEP_PREPARE_WAIT, worker->refusal, "prepare the wait strategy %s",
		    wait_strategies[wait]->name);
}

bool worker_stop(struct worker *worker)
{
	static const struct timespec nap = { .tv_nsec = JOIN_NAP_NS };

	if (!worker->joinable)
		return true;
	atomic_store_explicit(&worker->stop, true, memory_order_release);
	while (pthread_tryjoin_np(worker->thread, NULL)) {
		if (worker_is_held(worker))
			return false;
		nanosleep(&nap, NULL);
	}
	worker->joinable = false;
	return true;
}
