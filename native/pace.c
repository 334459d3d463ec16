/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#include <stdatomic.h>
#include <time.h>

#include "seqlock.h"
#include "worker.h"

/* How soon a step is taken that was asked for: a person sees no difference. */
#define LONGEST_NAP_NS (5 * 1000 * 1000ull)
#define ONLY_STEPS UINT64_MAX

/* Relaxed: a knob orders nothing but itself. */
static uint64_t knob(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

void pace_begin(struct worker *worker)
{
	worker->pace.next_ns = 0;
	worker->pace.steps = knob(&worker->block->control.steps);
}

bool pace_is_set(const struct worker *worker)
{
	return knob(&worker->block->control.pace_ns);
}

bool pace_take_turn(struct worker *worker, uint64_t now_ns)
{
	const struct xdplab_control *control = &worker->block->control;
	const uint64_t pace_ns = knob(&control->pace_ns);
	struct pace *pace = &worker->pace;

	if (pace->steps != knob(&control->steps))
		pace->steps++;
	else if (pace_ns == ONLY_STEPS || now_ns < pace->next_ns)
		return false;
	pace->next_ns = pace_ns < ONLY_STEPS - now_ns ? now_ns + pace_ns : ONLY_STEPS;
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

void pace_nap(struct worker *worker, uint64_t now_ns)
{
	uint64_t until_ns = now_ns + LONGEST_NAP_NS;
	struct timespec until;

	if (worker->pace.next_ns < until_ns)
		until_ns = worker->pace.next_ns;
	if (worker->next_publish_ns < until_ns)
		until_ns = worker->next_publish_ns;
	until = (struct timespec){ .tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000) };
	worker->counters.syscalls[XDPLAB_SYSCALL_PACE]++;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}
