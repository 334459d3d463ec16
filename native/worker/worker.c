/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/knob.h"
#include "base/thread.h"
#include "worker/publish.h"
#include "worker/turn.h"
#include "xdp/port.h"

static_assert(ACTION_drop == 0, "what is clamped to, where a path can do nothing else");

static struct settings read_control(struct worker *worker)
{
	const struct xdplab_control *control = &worker->block->control;
	const uint32_t wait = clamp(knob(&control->wait), 0, WAIT_COUNT);
	const uint64_t every = knob(&control->sample_every);
	const uint64_t resets = knob(&control->latency_resets);
	const uint32_t last_action = worker->rx->only_drops ? ACTION_drop : ACTION_COUNT - 1;
	const uint32_t action_index = clamp(knob(&control->action), ACTION_drop, last_action);
	const struct action *action = actions[action_index];

	if (wait != worker->wait_index)
		wait_switch(worker, wait);
	if (resets != worker->latency_resets) {
		histogram_reset(worker->block->latency);
		worker->latency_resets = resets;
	}
	if (worker->sample_countdown >= every)
		worker->sample_countdown = every ? every - 1 : 0;
	return (struct settings){
		.batch = clamp(knob(&control->batch), worker->rx->packet_frames, worker->frames_limit),
		.burst = clamp(knob(&control->burst), worker->rx->packet_frames, XDPLAB_LARGEST_BURST),
		.action_index = action_index,
		.action = action,
		.finishes_checksums = knob(&control->checksum) != XDPLAB_CHECKSUM_NONE,
		.sampling = {
			.every = every,
			.inspect = knob(&control->inspect),
			.verdict = action->verdict,
		},
	};
}

/* False if the path has ended. */
static bool publish_turn(struct worker *worker, uint64_t now_ns)
{
	const uint64_t interval = worker->region->header.publish_interval_ns;
	const int fault = worker->rx->operations->fault(worker->rx);

	worker->counters.syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (fault)
		worker->counters.fault = (uint64_t)fault;
	if (worker->counters.fault)
		return false;
	worker->counters.control_wait = worker->wait_index;
	publish(worker, now_ns);
	/* On a grid, so that records are evenly spaced; after a long pause, from now. */
	worker->next_publish_ns += interval;
	if (worker->next_publish_ns <= now_ns)
		worker->next_publish_ns = now_ns + interval;
	return true;
}

/* Time that a turn spent on its packets. Time above a microsecond each does not count: another thread, an interrupt or
 * the hypervisor had the core. */
static uint64_t work_time(uint64_t elapsed_ns, uint32_t packets)
{
	const uint64_t most = packets * 1000ull;

	return elapsed_ns < most ? elapsed_ns : most;
}

/* Asks the kernel to send. Returns the time of that, which is the kernel's work, not the worker's. */
static uint64_t kick_transmit(struct worker *worker)
{
	const uint64_t before = clock_ns(CLOCK_MONOTONIC);

	wait_kick(worker);
	wait_submit(worker);
	return clock_ns(CLOCK_MONOTONIC) - before;
}

/* A turn of a paced worker, in an order that shows each frame in each ring: the next turn kicks the frames that this
 * turn puts into the TX ring, and the turn after that takes them back from the completion ring. */
static void take_step(struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	uint32_t produced = 0;

	turn_take_back_sent(worker, settings->burst);
	if (worker->tx->operations->wants_kick(worker->tx))
		kick_transmit(worker);
	if (worker->rx->operations->wait)
		worker->rx->operations->wait(worker->rx, worker, 0);
	turn_receive_batch(worker, settings);
	if (turn_produces(worker, settings, now_ns))
		turn_generate(worker, settings, now_ns, &produced);
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM] += worker->rx->operations->kick(worker->rx);
}

/* Replaces the turn while the worker is paced. */
static void go_at_pace(struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	if (pace_take_turn(worker, now_ns))
		take_step(worker, settings, now_ns);
	wait_submit(worker);
	pace_show_rings(worker, now_ns);
	pace_nap(worker, now_ns);
}

static void run_turns(struct worker *worker)
{
	const struct path_operations *path = worker->rx->operations;
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	uint32_t handled = 0; /* packets received or made in the turn before */
	uint64_t leisure, next;
	bool spun = false, sending;

	worker->next_publish_ns = before;
	/* Acquire pairs with the release in worker_stop. */
	while (!atomic_load_explicit(&worker->stop, memory_order_acquire)) {
		const struct settings settings = read_control(worker);
		uint64_t now = clock_ns(CLOCK_MONOTONIC);

		worker->work_ns += work_time(now - before, handled);
		worker->idle_ns += spun ? now - before : 0;
		before = now;
		if (now >= worker->next_publish_ns) {
			worker->counters.control_batch = settings.batch;
			worker->counters.control_action = settings.action_index;
			worker->counters.streams = turn_produces(worker, &settings, now);
			if (!publish_turn(worker, now))
				return;
			before = clock_ns(CLOCK_MONOTONIC);
		}
		if (pace_is_set(worker)) {
			go_at_pace(worker, &settings, now);
			before = clock_ns(CLOCK_MONOTONIC);
			handled = 0;
			spun = false;
			continue;
		}
		turn_take_back_sent(worker, settings.burst);
		handled = turn_receive_burst(worker, &settings);
		leisure = worker->next_publish_ns > now ? worker->next_publish_ns - now : 0;
		if (turn_produces(worker, &settings, now)) {
			next = turn_generate(worker, &settings, now, &handled);
			leisure = next < leisure ? next : leisure;
		}
		/* Frames wait because there is no room to send them; nothing wakes the worker when there is room. */
		if (settings.action->transmits && !worker->tx->operations->room(worker->tx))
			leisure = 0;
		worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM] += path->kick(worker->rx);
		sending = worker->tx->operations->wants_kick(worker->tx);
		if (sending)
			before += kick_transmit(worker);
		else
			wait_submit(worker);
		/* While frames wait to be sent, it must not sleep. */
		if (sending)
			spun = !handled && wait_kicks_elsewhere(worker);
		else
			spun = !handled && (!leisure || wait_for_packets(worker, leisure));
	}
}

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
		run_turns(worker);
		if (worker->counters.fault)
			port_worker_ended(worker->port, worker->queue);
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

void worker_stop(struct worker *worker)
{
	if (!worker->joinable)
		return;
	atomic_store_explicit(&worker->stop, true, memory_order_release);
	pthread_join(worker->thread, NULL);
	worker->joinable = false;
}
