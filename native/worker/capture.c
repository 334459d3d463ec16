/* SPDX-License-Identifier: Apache-2.0 */
#include "include/capture.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/knob.h"
#include "base/memory.h"
#include "base/packet_filter.h"
#include "worker/capture.h"
#include "worker/engine.h"
#include "worker/loop.h"
#include "worker/publish.h"
#include "worker/turn.h"

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
	port_worker_ended(worker->port, worker->rx->entry);
	capture_end(worker);
	publish_record(worker, clock_ns(CLOCK_MONOTONIC));
	return ended(worker, error);
}

/* Moves frames that the caller still has into worker->frames, and returns their number. */
static uint32_t take_from_caller(struct worker *worker, struct xdplab_frame *frames, uint32_t count)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (frames[i].address == XDPLAB_NO_FRAME)
			continue;
		worker->frames[taken++] = (struct xdp_desc){
			.addr = frames[i].address,
			.len = frames[i].length,
			.options = frames[i].options,
		};
		frames[i].address = XDPLAB_NO_FRAME;
	}
	worker->counters.held -= taken;
	return taken;
}

void xdplab_capture_give_back(struct xdplab_engine *engine, uint32_t index, struct xdplab_frame *frames,
			      uint32_t count)
{
	struct worker *worker = &engine->workers[index].worker;

	for (uint32_t done = 0, now; worker->rx && done < count; done += now) {
		now = (uint32_t)least(count - done, worker->frames_limit);
		worker->rx->operations->recycle(worker->rx, worker->frames,
						take_from_caller(worker, frames + done, now));
	}
}

int xdplab_capture_receive(struct xdplab_engine *engine, uint32_t index, struct xdplab_call *call,
			   struct xdplab_error *error)
{
	struct worker *worker = &engine->workers[index].worker;
	struct delivery *delivery = worker->delivery;
	uint64_t until_ns;
	bool goes_on;

	call->count = 0;
	if (capture_begin(worker, error))
		return -error->code;
	call->wanted = clamp(knob(&worker->block->control.batch), worker->rx->packet_frames, worker->frames_limit);
	if (call->wanted > call->room)
		return 0;
	*delivery = (struct delivery){
		.frames = (struct xdp_desc *)call->frames,
		.room = call->room,
		.thread = delivery->thread,
		.filter = delivery->filter,
	};
	until_ns = clock_ns(CLOCK_MONOTONIC) + call->timeout_ns;
	atomic_store_explicit(&worker->in_call, true, memory_order_relaxed);
	do
		goes_on = loop_turn(worker, until_ns);
	while (goes_on && !delivery->count && clock_ns(CLOCK_MONOTONIC) < until_ns);
	/* Release: who sees that the call has ended sees what it did. */
	atomic_store_explicit(&worker->in_call, false, memory_order_release);
	if (!goes_on)
		return fail_path(worker, error);
	call->count = delivery->count;
	call->time_ns = worker->turn_ns;
	return 0;
}

/* Puts copies of the next frames into worker->frames; returns their number. */
static uint32_t copy_from_caller(struct worker *worker, const uint8_t *bytes, const struct xdplab_frame *frames,
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

/* How many of so many frames are of whole packets. */
static uint32_t of_whole_packets(const struct xdplab_frame *frames, uint32_t count)
{
	while (count && frames[count - 1].options & XDPLAB_FRAME_CONTINUES)
		count--;
	return count;
}

/* Hands the next frames to the TX ring, as many as there is room for; returns their number. */
static uint32_t send_next(struct worker *worker, const uint8_t *bytes, struct xdplab_frame *frames, uint32_t count)
{
	const uint32_t room = (uint32_t)least(worker->frames_limit, worker->tx->operations->room(worker->tx));
	const uint32_t limit = of_whole_packets(frames, (uint32_t)least(count, room));
	uint32_t taken;

	if (!limit)
		return 0;
	if (bytes) {
		taken = copy_from_caller(worker, bytes, frames, limit);
	} else {
		taken = take_from_caller(worker, frames, limit);
		worker_look_at_checksums(worker, taken, true);
	}
	worker_transmit(worker, worker->frames, taken);
	return taken;
}

void xdplab_capture_send(struct xdplab_engine *engine, uint32_t index, const uint8_t *bytes,
			 struct xdplab_frame *frames, uint32_t count, uint64_t timeout_ns, uint32_t *sent)
{
	static const struct timespec nap = { .tv_nsec = SEND_NAP_NS };
	struct worker *worker = &engine->workers[index].worker;
	const uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
	struct xdplab_error error;
	bool waits;

	if (capture_begin(worker, &error))
		return;
	do {
		const uint32_t before = *sent;

		turn_take_back_sent(worker, worker->frames_limit);
		*sent += send_next(worker, bytes, frames + before, count - before);
		waits = worker->tx->operations->wants_kick(worker->tx);
		if (waits)
			wait_kick(worker);
		wait_submit(worker);
		if (*sent == before && *sent < count)
			nanosleep(&nap, NULL);
	} while ((waits || *sent < count) && !worker->counters.fault && clock_ns(CLOCK_MONOTONIC) < until_ns);
}

int xdplab_capture_filter(struct xdplab_engine *engine, uint32_t index, const uint8_t *instructions, uint32_t count)
{
	struct delivery *delivery = engine->workers[index].worker.delivery;
	struct packet_filter *filter = NULL;

	if (count && !(filter = packet_filter_create((const struct sock_filter *)instructions, count)))
		return -EINVAL;
	free(delivery->filter);
	delivery->filter = filter;
	return 0;
}

int xdplab_filter_passes(const uint8_t *instructions, uint32_t count, const uint8_t *bytes, uint32_t length)
{
	struct packet_filter *filter = packet_filter_create((const struct sock_filter *)instructions, count);
	int passes;

	if (!filter)
		return -EINVAL;
	passes = packet_filter_passes(filter, bytes, length, length);
	free(filter);
	return passes;
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
