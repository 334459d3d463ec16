/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/sleep.h"

#include <poll.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "shared/worker.h"

/* 0 stands for the default of the thread. */
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

void slack_take(struct slack *slack)
{
	if (slack->before_ns)
		return;
	slack->before_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, LEAST_SLACK_NS, 0, 0, 0);
}

void slack_put_back(struct slack *slack)
{
	if (slack->before_ns > 0)
		prctl(PR_SET_TIMERSLACK, slack->before_ns, 0, 0, 0);
	slack->before_ns = 0;
}
