/* SPDX-License-Identifier: Apache-2.0
 *
 * poll: sleeps in poll(2) until a packet comes.
 */
#include <poll.h>

#include "base/clock.h"
#include "shared/worker.h"

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct pollfd readiness = { .fd = worker->rx->descriptor, .events = POLLIN };
	const struct timespec timeout = clock_timespec(timeout_ns);

	(void)state;
	if (!worker->rx->port->clear(worker->rx))
		return false;
	worker->counters.syscalls[XDPLAB_SYSCALL_POLL]++;
	if (ppoll(&readiness, 1, &timeout, NULL) > 0)
		worker->counters.wakeups++;
	else
		worker->counters.timeouts++;
	return false;
}

const struct wait_strategy wait_poll = { .name = "poll", .wait = wait };
