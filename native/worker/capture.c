/* SPDX-License-Identifier: Apache-2.0 */
#include "include/capture.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/knob.h"
#include "base/memory.h"
#include "worker/capture.h"
#include "worker/engine.h"
#include "worker/loop.h"
#include "worker/publish.h"
#include "worker/turn.h"

static_assert(sizeof(struct xdplab_frame) == sizeof(struct xdp_desc) &&
		      offsetof(struct xdplab_frame, length) == offsetof(struct xdp_desc, len) &&
		      offsetof(struct xdplab_frame, options) == offsetof(struct xdp_desc, options),
	      "a frame is handed on as the kernel's descriptor");

/* Between two looks for room to send. */
#define SEND_NAP_NS (50 * 1000)

static int ended(const struct worker *worker, struct xdplab_error *error)
{
	return fail(error, XDPLAB_STEP_NONE, (int)worker->counters.fault, "go on with a path that has ended");
}

int capture_begin(struct worker *worker, struct xdplab_error *error)
{
	struct delivery *delivery = worker->delivery;
	const pid_t thread = gettid();

	if (worker->counters.fault)
		return ended(worker, error);
	if (!worker->rx)
		return fail(error, XDPLAB_STEP_NONE, ENOTCONN, "receive on a path that is closed");
	if (delivery->thread == thread)
		return 0;
	if (delivery->thread)
		wait_release_all(worker);
	delivery->thread = 0;
	worker->wait_index = clamp(knob(&worker->block->control.wait), 0, WAIT_COUNT - 1);
	wait_prepare_all(worker);
	if (worker->refusal) {
		wait_release_all(worker);
		return fail(error, XDPLAB_STEP_PREPARE_WAIT, worker->refusal, "prepare the wait strategy %s",
			    wait_strategies[worker->wait_index]->name);
	}
	delivery->thread = thread;
	pace_begin(worker);
	publish_begin(worker);
	loop_begin(worker);
	worker->counters.state = XDPLAB_STATE_RUNNING;
	return 0;
}

void capture_end(struct worker *worker)
{
	if (!worker->delivery || !worker->delivery->thread)
		return;
	wait_release_all(worker);
	worker->delivery->thread = 0;
	worker->counters.state = worker->counters.fault ? XDPLAB_STATE_FAILED : XDPLAB_STATE_STOPPED;
}

/* The path has ended: packets of its queue go to the stack from now on. */
static int fail_path(struct worker *worker, struct xdplab_error *error)
{
	port_worker_ended(worker->port, worker->queue);
	capture_end(worker);
	publish_record(worker, clock_ns(CLOCK_MONOTONIC));
	return ended(worker, error);
}

void xdplab_capture_give_back(struct xdplab_engine *engine, uint32_t index, const struct xdplab_frame *frames,
			      uint32_t count)
{
	struct worker *worker = &engine->workers[index].worker;

	if (!worker->rx)
		return;
	worker->rx->operations->recycle(worker->rx, (const struct xdp_desc *)frames, count);
	worker->counters.held -= count;
}

int xdplab_capture_receive(struct xdplab_engine *engine, uint32_t index, struct xdplab_call *call,
			   struct xdplab_error *error)
{
	struct worker *worker = &engine->workers[index].worker;
	struct delivery *delivery = worker->delivery;
	uint64_t until_ns;

	call->count = 0;
	if (capture_begin(worker, error))
		return -error->code;
	*delivery = (struct delivery){
		.frames = (struct xdp_desc *)call->frames,
		.room = call->room,
		.thread = delivery->thread,
	};
	until_ns = clock_ns(CLOCK_MONOTONIC) + call->timeout_ns;
	do {
		if (!loop_turn(worker, until_ns))
			return fail_path(worker, error);
	} while (!delivery->count && clock_ns(CLOCK_MONOTONIC) < until_ns);
	call->count = delivery->count;
	call->time_ns = worker->turn_ns;
	return 0;
}

/* Puts the next frames to send into worker->frames, at most `limit`; returns their number. */
typedef uint32_t next_frames(struct worker *worker, const uint8_t *bytes, const struct xdplab_frame *frames,
			     uint32_t limit);

static uint32_t next_own(struct worker *worker, const uint8_t *bytes, const struct xdplab_frame *frames,
			 uint32_t limit)
{
	(void)bytes;
	memcpy(worker->frames, frames, limit * sizeof(*frames));
	worker->counters.held -= limit;
	turn_look_at_checksums(worker, limit);
	return limit;
}

static uint32_t next_copies(struct worker *worker, const uint8_t *bytes, const struct xdplab_frame *frames,
			    uint32_t limit)
{
	struct spares *spares = worker->spares;
	const uint32_t count = limit < spares->count ? limit : spares->count;

	for (uint32_t i = 0; i < count; i++) {
		worker->frames[i] = (struct xdp_desc){
			.addr = spares->frames[--spares->count],
			.len = frames[i].length,
			.options = frames[i].options,
		};
		memcpy(worker->tx->area + worker->frames[i].addr, bytes + frames[i].address, frames[i].length);
	}
	return count;
}

static void kick(struct worker *worker)
{
	if (!worker->tx->operations->wants_kick(worker->tx))
		return;
	wait_kick(worker);
	wait_submit(worker);
}

static uint32_t send_frames(struct worker *worker, next_frames *next, const uint8_t *bytes,
			    const struct xdplab_frame *frames, uint32_t count, uint64_t timeout_ns)
{
	static const struct timespec nap = { .tv_nsec = SEND_NAP_NS };
	const uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
	struct xdplab_error error;
	uint32_t sent = 0, taken;

	if (capture_begin(worker, &error))
		return 0;
	do {
		turn_take_back_sent(worker, worker->frames_limit);
		taken = (uint32_t)least(least(count - sent, worker->frames_limit),
					worker->tx->operations->room(worker->tx));
		taken = taken ? next(worker, bytes, frames + sent, taken) : 0;
		if (taken)
			worker_transmit(worker, worker->frames, taken);
		sent += taken;
		kick(worker);
		if (sent < count && !taken)
			nanosleep(&nap, NULL);
	} while (!worker->counters.fault && clock_ns(CLOCK_MONOTONIC) < until_ns &&
		 (sent < count || worker->tx->operations->wants_kick(worker->tx)));
	return sent;
}

uint32_t xdplab_capture_send(struct xdplab_engine *engine, uint32_t index, const struct xdplab_frame *frames,
			     uint32_t count, uint64_t timeout_ns)
{
	return send_frames(&engine->workers[index].worker, next_own, NULL, frames, count, timeout_ns);
}

uint32_t xdplab_capture_send_copies(struct xdplab_engine *engine, uint32_t index, const uint8_t *bytes,
				    const struct xdplab_frame *frames, uint32_t count, uint64_t timeout_ns)
{
	return send_frames(&engine->workers[index].worker, next_copies, bytes, frames, count, timeout_ns);
}

int xdplab_capture_descriptor(const struct xdplab_engine *engine, uint32_t index)
{
	const struct path *path = engine->workers[index].worker.rx;

	return path ? path->descriptor : -1;
}

int xdplab_capture_may_sleep(struct xdplab_engine *engine, uint32_t index)
{
	struct path *path = engine->workers[index].worker.rx;

	return !path || path->port->clear(path);
}

struct xdplab_memory *xdplab_capture_memory(struct xdplab_engine *engine)
{
	const struct path *path = engine->workers[0].worker.rx;

	return path && path->memory ? memory_hold(path->memory) : NULL;
}
