/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/knob.h"
#include "shared/worker.h"

/* What the kernel lets a process without CAP_NET_ADMIN set (NAPI_POLL_WEIGHT). */
enum { MOST_BUDGET = 64 };

int epoll_prepare(struct worker *worker, void **state)
{
	struct epoll *self = calloc(1, sizeof(*self));

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

static int tell(const struct epoll *self, uint32_t microseconds, uint32_t budget)
{
	const struct xdplab_epoll_params params = {
		.busy_poll_usecs = microseconds,
		.busy_poll_budget = (uint16_t)budget,
		.prefer_busy_poll = 1,
	};

	return ioctl(self->descriptor, XDPLAB_EPIOCSPARAMS, &params) ? -errno : 0;
}

int epoll_prepare_napi(struct worker *worker, void **state)
{
	int result = epoll_prepare(worker, state);

	if (result)
		return result;
	/* Costs an idle strategy nothing: only a wait drives NAPI. */
	result = tell(*state, 0, 1);
	if (result)
		epoll_release(*state);
	/* Also where the kernel was built without busy polling (EOPNOTSUPP), which would be reported for io_uring. */
	return result ? -ENOTTY : 0;
}

void epoll_napi(struct worker *worker, void *state, uint32_t microseconds)
{
	struct epoll *self = state;
	const uint32_t budget = clamp(knob(&worker->block->control.busy_poll_budget), 1, MOST_BUDGET);
	int result;

	if (self->driving && self->microseconds == microseconds && self->budget == budget)
		return;
	result = tell(self, microseconds, budget);
	if (result)
		worker->counters.fault = (uint64_t)-result;
	worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS]++;
	self->microseconds = microseconds;
	self->budget = budget;
	self->driving = true;
}

static void watch(struct worker *worker, struct epoll *self, bool watching)
{
	struct epoll_event event = { .events = EPOLLIN };

	worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS]++;
	if (epoll_ctl(self->descriptor, watching ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, worker->rx->descriptor, &event))
		worker->counters.fault = (uint64_t)errno;
	self->watching = watching;
}

static int wait_exactly(struct epoll *self, uint64_t timeout_ns)
{
	const struct timespec timeout = clock_timespec(timeout_ns);
	struct epoll_event event;

	return epoll_pwait2(self->descriptor, &event, 1, &timeout, NULL);
}

/* Rounded up: a record a millisecond late is better than spinning for the last millisecond. */
static int wait_coarsely(struct epoll *self, uint64_t timeout_ns)
{
	struct epoll_event event;

	return epoll_wait(self->descriptor, &event, 1, (int)((timeout_ns + 999999) / 1000000));
}

bool epoll_sleep(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct epoll *self = state;
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

void epoll_leave(struct worker *worker, void *state)
{
	struct epoll *self = state;

	if (self->watching)
		watch(worker, self, false);
	self->driving = false;
}

void epoll_release(void *state)
{
	struct epoll *self = state;

	close(self->descriptor);
	free(self);
}
