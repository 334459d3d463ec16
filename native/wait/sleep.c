/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/sleep.h"

#include <poll.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "shared/worker.h"

enum { LEAST_SLACK_NS = 1 };

void sleep_in_poll(struct worker *worker, uint64_t timeout_ns)
{
	struct pollfd readiness = { .fd = worker->rx->descriptor, .events = POLLIN };
	const struct timespec timeout = clock_timespec(timeout_ns);

	if (!worker->rx->port->clear(worker->rx))
		return;
	worker->counters.syscalls[XDPLAB_SYSCALL_POLL]++;
	if (ppoll(&readiness, 1, &timeout, NULL) > 0)
		worker->counters.wakeups++;
	else
		worker->counters.timeouts++;
}

void slack_take(const struct worker *worker, struct slack *slack)
{
	if (worker->delivery || slack->taken)
		return;
	slack->taken = true;
	slack->before_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, LEAST_SLACK_NS, 0, 0, 0);
}

/* A realtime thread has 0, and keeps it whatever is set; 0 would mean the default. */
void slack_put_back(struct slack *slack)
{
	if (slack->taken && slack->before_ns > 0)
		prctl(PR_SET_TIMERSLACK, slack->before_ns, 0, 0, 0);
	slack->taken = false;
}
