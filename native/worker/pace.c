/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/pace.h"

#include <stdatomic.h>
#include <time.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/knob.h"
#include "base/seqlock.h"
#include "shared/worker.h"

/* Longest delay of a requested step: too short for a person to notice. */
#define LONGEST_NAP_NS (5 * 1000 * 1000ull)
/* Time between two steps, if several were requested: the kernel does its part in between. */
#define STEP_NAP_NS (1000 * 1000ull)

/* Acquire: the requester of a step has set the pace before. */
static uint64_t steps_asked(const struct worker *worker)
{
	return atomic_load_explicit(&worker->block->control.steps, memory_order_acquire);
}

void pace_begin(struct worker *worker)
{
	worker->pace.last_ns = 0;
	worker->pace.steps = steps_asked(worker);
}

bool pace_is_set(struct worker *worker)
{
	const uint64_t steps = steps_asked(worker);

	if (knob(&worker->block->control.pace_ns))
		return true;
	worker->pace.steps = steps;
	return false;
}

bool pace_take_turn(struct worker *worker, uint64_t now_ns)
{
	struct pace *pace = &worker->pace;

	if (pace->steps != steps_asked(worker))
		pace->steps++;
	/* A pace of UINT64_MAX is never over. */
	else if (now_ns - pace->last_ns < knob(&worker->block->control.pace_ns))
		return false;
	pace->last_ns = now_ns;
	worker->counters.steps++;
	return true;
}

void pace_show_rings(struct worker *worker, uint64_t now_ns)
{
	struct xdplab_rings *shared = &worker->block->rings;
	const uint64_t number = worker->pace.shown++;
	struct xdplab_rings rings = {
		.time_ns = now_ns,
		.turns = worker->counters.steps,
	};

	worker->rx->operations->show_receive(worker->rx, &rings);
	worker->tx->operations->show_transmit(worker->tx, &rings);
	seqlock_begin(&shared->sequence, number);
	seqlock_write(&shared->time_ns, &rings.time_ns, sizeof(rings) - sizeof(rings.sequence));
	seqlock_end(&shared->sequence, number);
}

static uint64_t until_turn(const struct worker *worker, uint64_t now_ns)
{
	const uint64_t pace_ns = knob(&worker->block->control.pace_ns);
	const uint64_t since_ns = now_ns - worker->pace.last_ns;

	if (worker->pace.steps != steps_asked(worker))
		return STEP_NAP_NS;
	return since_ns < pace_ns ? pace_ns - since_ns : 0;
}

void pace_nap(struct worker *worker, uint64_t now_ns)
{
	const uint64_t nap_ns = least(until_turn(worker, now_ns), LONGEST_NAP_NS);
	const uint64_t until_ns = least(now_ns + nap_ns, worker->next_publish_ns);
	const struct timespec until = clock_timespec(until_ns);

	worker->counters.syscalls[XDPLAB_SYSCALL_PACE]++;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}
