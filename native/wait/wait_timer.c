/* SPDX-License-Identifier: Apache-2.0
 *
 * timer: sleeps for a set time (control block, timer_ns), whatever comes.
 *
 * Nobody waits at the socket, so the kernel wakes nobody: no packet costs the core that receives it a wake-up, and
 * workers that share a core take it from each other once a sleep, not once a batch of NAPI's. A packet waits for as
 * long, and the RX ring must hold what comes meanwhile.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/knob.h"
#include "shared/worker.h"
#include "wait/sleep.h"

static int prepare(struct worker *worker, void **state)
{
	(void)worker;
	*state = calloc(1, sizeof(struct slack));
	return *state ? 0 : -ENOMEM;
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	const struct timespec sleep = clock_timespec(least(knob(&worker->block->control.timer_ns), timeout_ns));

	slack_take(worker, state);
	worker->counters.syscalls[XDPLAB_SYSCALL_NANOSLEEP]++;
	worker->counters.timeouts++;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &sleep, NULL);
	return false;
}

static void leave(struct worker *worker, void *state)
{
	(void)worker;
	slack_put_back(state);
}

const struct wait_strategy wait_timer = { .name = "timer", .prepare = prepare, .wait = wait, .leave = leave, .release = free };
