/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/loop.h"

#include <assert.h>
#include <time.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/knob.h"
#include "worker/publish.h"
#include "worker/turn.h"

static_assert(ACTION_drop == 0, "what is clamped to, where a path can do nothing else");
static_assert(ACTION_deliver == ACTION_handler + 1 && ACTION_deliver == ACTION_COUNT - 1, "left out where nobody takes delivery");

static uint32_t last_action(const struct worker *worker)
{
	if (worker->rx->only_drops)
		return ACTION_drop;
	return worker->delivery ? ACTION_deliver : ACTION_handler;
}

static struct settings read_control(struct worker *worker)
{
	const struct xdplab_control *control = &worker->block->control;
	const uint32_t wait = clamp(knob(&control->wait), 0, WAIT_COUNT);
	const uint64_t every = knob(&control->sample_every);
	const uint64_t resets = knob(&control->latency_resets);
	const uint32_t action_index = clamp(knob(&control->action), ACTION_drop, last_action(worker));
	const struct action *action = actions[action_index];
	/* A caller gets one batch a turn. */
	const uint32_t limit = worker->delivery ? worker->delivery->room : worker->frames_limit;
	const uint32_t most = worker->delivery ? clamp(knob(&control->batch), 1, limit) : XDPLAB_LARGEST_BURST;

	if (wait != worker->wait_index)
		wait_switch(worker, wait);
	if (resets != worker->latency_resets) {
		histogram_reset(worker->block->latency);
		worker->latency_resets = resets;
	}
	if (worker->sample_countdown >= every)
		worker->sample_countdown = every ? every - 1 : 0;
	return (struct settings){
		.batch = clamp(knob(&control->batch), worker->rx->packet_frames, limit),
		.burst = clamp(knob(&control->burst), worker->rx->packet_frames, most),
		.action_index = action_index,
		.action = action,
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

void loop_begin(struct worker *worker)
{
	worker->turn_ns = worker->next_publish_ns = clock_ns(CLOCK_MONOTONIC);
	worker->turn_handled = 0;
	worker->turn_spun = false;
}

static void end_turn(struct worker *worker, uint64_t begun_ns, uint32_t handled, bool spun)
{
	worker->turn_ns = begun_ns;
	worker->turn_handled = handled;
	worker->turn_spun = spun;
}

bool loop_turn(struct worker *worker, uint64_t until_ns)
{
	const struct settings settings = read_control(worker);
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t begun = now, leisure, next;
	uint32_t handled;
	bool spun = false, sending;

	worker->work_ns += work_time(now - worker->turn_ns, worker->turn_handled);
	worker->idle_ns += worker->turn_spun ? now - worker->turn_ns : 0;
	if (now >= worker->next_publish_ns) {
		worker->counters.control_batch = settings.batch;
		worker->counters.control_action = settings.action_index;
		worker->counters.streams = turn_produces(worker, &settings, now);
		if (!publish_turn(worker, now))
			return false;
		begun = clock_ns(CLOCK_MONOTONIC);
	}
	if (pace_is_set(worker)) {
		go_at_pace(worker, &settings, now);
		end_turn(worker, clock_ns(CLOCK_MONOTONIC), 0, false);
		return true;
	}
	turn_take_back_sent(worker, settings.burst);
	handled = turn_receive_burst(worker, &settings);
	leisure = least(worker->next_publish_ns, until_ns);
	leisure = leisure > now ? leisure - now : 0;
	if (turn_produces(worker, &settings, now)) {
		next = turn_generate(worker, &settings, now, &handled);
		leisure = least(next, leisure);
	}
	/* Frames wait because there is no room to send them; nothing wakes the worker when there is room. */
	if (settings.action->transmits && !worker->tx->operations->room(worker->tx))
		leisure = 0;
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM] += worker->rx->operations->kick(worker->rx);
	sending = worker->tx->operations->wants_kick(worker->tx);
	if (sending)
		begun += kick_transmit(worker);
	else
		wait_submit(worker);
	/* While frames wait to be sent, it must not sleep, unless the driver goes on sending by itself. */
	if (sending && !worker->tx->zero_copy)
		spun = !handled && wait_kicks_elsewhere(worker);
	else
		spun = !handled && (!leisure || wait_for_packets(worker, leisure));
	end_turn(worker, begun, handled, spun);
	return true;
}
