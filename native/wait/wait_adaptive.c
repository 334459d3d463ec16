/* SPDX-License-Identifier: Apache-2.0
 *
 * adaptive: spins for a set time after the last packet (control block, spin_ns), then parks on a multishot
 * poll. As quick as spin while packets keep coming, asleep when they don't.
 */
#include "base/clock.h"
#include "base/knob.h"
#include "wait/parking.h"
#include "shared/worker.h"

struct adaptive {
	struct parking parking;
	uint64_t packets;        /* received when the ring was first seen empty */
	uint64_t empty_since_ns; /* 0: has not waited since the switch to the strategy */
};

static int prepare(struct worker *worker, void **state)
{
	(void)worker;
	return parking_prepare(state, sizeof(struct adaptive), uring_open);
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct adaptive *adaptive = state;
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const uint64_t spin_ns = knob(&worker->block->control.spin_ns);

	if (adaptive->packets != worker->counters.rx_packets || !adaptive->empty_since_ns) {
		adaptive->packets = worker->counters.rx_packets;
		adaptive->empty_since_ns = now_ns;
	}
	return now_ns - adaptive->empty_since_ns < spin_ns || parking_multishot(worker, state, timeout_ns);
}

static void leave(struct worker *worker, void *state)
{
	struct adaptive *adaptive = state;

	adaptive->empty_since_ns = 0;
	parking_leave(worker, state);
}

const struct wait_strategy wait_adaptive = {
	.name = "adaptive",
	.prepare = prepare,
	.wait = wait,
	.leave = leave,
	.release = parking_release,
	.kick = parking_kick,
	.submit = parking_submit,
};
