/* SPDX-License-Identifier: Apache-2.0
 *
 * epoll: sleeps in epoll_pwait2, or before Linux 5.11 in epoll_wait, whose timeout is in milliseconds.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "shared/worker.h"

struct epoll_state {
	int descriptor;
	bool watching; /* the socket is in the epoll set, which then costs time for each packet */
	bool coarse;   /* no epoll_pwait2 */
};

static int prepare(struct worker *worker, void **state)
{
	struct epoll_state *self = calloc(1, sizeof(*self));

	(void)worker;
	if (!self)
		return -ENOMEM;
	self->descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (self->descriptor < 0) {
		free(self);
		return -errno;
	}
	*state = self;
	return 0;
}

static void watch(struct worker *worker, struct epoll_state *self, bool watching)
{
	struct epoll_event event = { .events = EPOLLIN };

	worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS]++;
	if (epoll_ctl(self->descriptor, watching ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, worker->rx->descriptor, &event))
		worker->counters.fault = (uint64_t)errno;
	self->watching = watching;
}

static int wait_exactly(struct epoll_state *self, uint64_t timeout_ns)
{
	const struct timespec timeout = clock_timespec(timeout_ns);
	struct epoll_event event;

	return epoll_pwait2(self->descriptor, &event, 1, &timeout, NULL);
}

/* Rounded up: a record a millisecond late is better than spinning for the last millisecond. */
static int wait_coarsely(struct epoll_state *self, uint64_t timeout_ns)
{
	struct epoll_event event;

	return epoll_wait(self->descriptor, &event, 1, (int)((timeout_ns + 999999) / 1000000));
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct epoll_state *self = state;
	int ready = -1;

	if (!self->watching)
		watch(worker, self, true);
	if (!worker->rx->port->clear(worker->rx))
		return false;
	worker->counters.syscalls[XDPLAB_SYSCALL_EPOLL_WAIT]++;
	if (!self->coarse) {
		ready = wait_exactly(self, timeout_ns);
		self->coarse = ready < 0 && (errno == ENOSYS || errno == EPERM);
	}
	if (self->coarse)
		ready = wait_coarsely(self, timeout_ns);
	if (ready > 0)
		worker->counters.wakeups++;
	else
		worker->counters.timeouts++;
	return false;
}

static void leave(struct worker *worker, void *state)
{
	struct epoll_state *self = state;

	if (self->watching)
		watch(worker, self, false);
}

static void release(void *state)
{
	struct epoll_state *self = state;

	close(self->descriptor);
	free(self);
}

const struct wait_strategy wait_epoll = {
	.name = "epoll",
	.prepare = prepare,
	.wait = wait,
	.leave = leave,
	.release = release,
};
