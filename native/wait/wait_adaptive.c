/* SPDX-License-Identifier: Apache-2.0
 *
 * adaptive: learns the gaps between packets (wait/gaps.h), and spins where the next packet is so likely that the wake-up
 * saved is worth it. Before that it sleeps until a timer, else until a packet comes. The control block sets what a
 * wake-up saved is worth (spin_ns), and the largest share of the time to spin (spin_share_ppm).
 *
 * It sleeps in poll(2), not on a poll of io_uring: that stays armed while the worker spins, so that each packet wakes
 * somebody who is awake, and reports afterwards what was received long ago.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/knob.h"
#include "wait/gaps.h"
#include "wait/sleep.h"
#include "shared/worker.h"

#define PPM 1000000
/* Spinning is held to its share over some time, in stretches: a worker that runs out of it in the middle of each gap
 * would have spun in vain. */
#define LONGEST_STRETCH_NS (10 * 1000 * 1000ll)
#define SHORTEST_STRETCH_NS (LONGEST_STRETCH_NS / 2)
/* Between two plans, each of which takes some 2 us. */
#define PLAN_INTERVAL_NS (1000 * 1000ull)
/* How late a timer wakes a thread, until it was seen; and bounds. */
enum { FIRST_LEAD_NS = 20 * 1000, SHORTEST_LEAD_NS = 1000, LONGEST_LEAD_NS = 1000 * 1000 };

enum wait_kind { NOT_YET, SPUN, SLEPT };

struct adaptive {
	struct slack slack;
	struct gaps gaps;
	uint64_t lead_ns;    /* within which a timer has woken it three times out of four */
	uint64_t worth_ns;   /* of the plan */
	uint64_t planned_ns; /* when the plan was made */
	bool timed;          /* a timer has woken it since then */
	uint64_t packets;    /* received before the gap at hand */
	uint64_t begun_ns;   /* when that gap began */
	enum wait_kind last; /* how it waited last, since the switch to the strategy */
	uint64_t last_ns;    /* when that began; of a sleep, when it ended */
	uint64_t wake_ns;    /* how long before that end the packet came that ended a sleep, as far as one can tell */
	int64_t to_spin_ns;  /* left of the share of spinning */
	uint64_t shared_ns;  /* until when that was reckoned */
	bool resting;        /* it has used up its share */
};

static int prepare(struct worker *worker, void **state)
{
	struct adaptive *self = calloc(1, sizeof(*self));

	(void)worker;
	if (!self)
		return -ENOMEM;
	*state = self;
	self->lead_ns = FIRST_LEAD_NS;
	gaps_plan(&self->gaps, self->worth_ns, self->lead_ns);
	return 0;
}

/* When the packet came that ended the last wait. */
static uint64_t came_ns(const struct adaptive *self)
{
	return self->last == SLEPT ? self->last_ns - self->wake_ns : self->last_ns;
}

static void plan(struct adaptive *self, uint64_t worth_ns, uint64_t now_ns)
{
	/* One disturbance must not keep it from trying a timer again. */
	if (!self->timed && self->lead_ns > FIRST_LEAD_NS)
		self->lead_ns -= self->lead_ns / 64;
	self->timed = false;
	gaps_plan(&self->gaps, worth_ns, self->lead_ns);
	self->worth_ns = worth_ns;
	self->planned_ns = now_ns;
}

static void begin_gap(struct adaptive *self, uint64_t packets, uint64_t now_ns)
{
	if (self->last != NOT_YET && came_ns(self) > self->begun_ns)
		gaps_learn(&self->gaps, came_ns(self) - self->begun_ns);
	self->packets = packets;
	self->begun_ns = self->last == SLEPT ? now_ns - self->wake_ns : now_ns;
}

/* A quarter of the wake-ups may be later: three small steps down balance one large step up. */
static void learn_lead(struct adaptive *self, uint64_t late_ns)
{
	const uint64_t step = self->lead_ns / 64;

	self->lead_ns = late_ns > self->lead_ns ? self->lead_ns + 3 * step : self->lead_ns - step;
	self->lead_ns = clamp(self->lead_ns, SHORTEST_LEAD_NS, LONGEST_LEAD_NS);
	self->timed = true;
}

/* Whether the share of spinning allows more. `spun`: it did nothing else since it was last asked. */
static bool may_spin(struct adaptive *self, uint64_t share_ppm, uint64_t now_ns, bool spun)
{
	const uint64_t passed_ns = least(now_ns - self->shared_ns, LONGEST_STRETCH_NS);
	const int64_t left_ns = self->to_spin_ns + (int64_t)(passed_ns * share_ppm / PPM) - (spun ? (int64_t)passed_ns : 0);

	self->shared_ns = now_ns;
	self->to_spin_ns = left_ns < LONGEST_STRETCH_NS ? left_ns : LONGEST_STRETCH_NS;
	self->resting = !share_ppm || self->to_spin_ns < (self->resting ? SHORTEST_STRETCH_NS : 0);
	return !self->resting;
}

static void sleep_for(struct worker *worker, struct adaptive *self, int64_t sleep_ns, uint64_t timeout_ns)
{
	const bool timed = sleep_ns != GAPS_FOREVER && (uint64_t)sleep_ns < timeout_ns;
	const uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t slept_ns;

	slack_take(worker, &self->slack);
	sleep_in_poll(worker, timed ? (uint64_t)sleep_ns : timeout_ns);
	self->last_ns = clock_ns(CLOCK_MONOTONIC);
	slept_ns = self->last_ns - begun_ns;
	/* A wake-up takes about as long as one by a timer. But a packet that comes during a short sleep did not come before
	 * it: of a gap thought to be as old as that, the plan says that it is too late to spin, again and again. */
	self->wake_ns = least(self->lead_ns, slept_ns / 2);
	/* Also if a packet came meanwhile: just the latest wake-ups find one. */
	if (timed && slept_ns > (uint64_t)sleep_ns)
		learn_lead(self, slept_ns - (uint64_t)sleep_ns);
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct adaptive *self = state;
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const uint64_t worth_ns = knob(&worker->block->control.spin_ns);
	const uint64_t share_ppm = least(knob(&worker->block->control.spin_share_ppm), PPM);
	const bool came = self->packets != worker->counters.rx_packets || self->last == NOT_YET;
	const bool may = may_spin(self, share_ppm, now_ns, self->last == SPUN && !came);
	int64_t sleep_ns;

	if (came)
		begin_gap(self, worker->counters.rx_packets, now_ns);
	if (worth_ns != self->worth_ns || (came && now_ns - self->planned_ns > PLAN_INTERVAL_NS))
		plan(self, worth_ns, now_ns);
	sleep_ns = may ? gaps_sleep(&self->gaps, now_ns - self->begun_ns) : GAPS_FOREVER;
	self->last = sleep_ns ? SLEPT : SPUN;
	self->last_ns = now_ns;
	if (sleep_ns)
		sleep_for(worker, self, sleep_ns, timeout_ns);
	return !sleep_ns;
}

static void leave(struct worker *worker, void *state)
{
	struct adaptive *self = state;

	(void)worker;
	self->last = NOT_YET;
	slack_put_back(&self->slack);
}

const struct wait_strategy wait_adaptive = {
	.name = "adaptive",
	.prepare = prepare,
	.wait = wait,
	.leave = leave,
	.release = free,
};
