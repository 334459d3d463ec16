/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/parking.h"

#include <errno.h>
#include <stdlib.h>

#include "shared/worker.h"

int parking_prepare(void **state, size_t size, int (*open)(struct uring *uring))
{
	struct parking *parking = calloc(1, size);
	int result;

	if (!parking)
		return -ENOMEM;
	result = open(&parking->uring);
	if (result) {
		free(parking);
		return result;
	}
	*state = parking;
	return 0;
}

/* Arms the poll unless it is armed, and counts each time but the first. */
static void arm(struct worker *worker, struct parking *parking, bool multishot)
{
	if (parking->uring.armed)
		return;
	worker->counters.rearms += parking->was_armed;
	uring_arm(&parking->uring, worker->rx->descriptor, multishot);
	parking->was_armed = true;
}

static bool park(struct worker *worker, struct parking *parking, bool multishot, uint64_t timeout_ns)
{
	int result;

	if (!worker->rx->port->clear(worker->rx))
		return false;
	arm(worker, parking, multishot);
	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER]++;
	result = uring_wait(&parking->uring, timeout_ns);
	if (result > 0)
		worker->counters.wakeups++;
	else if (result == 0)
		worker->counters.timeouts++;
	else
		worker->counters.fault = (uint64_t)-result; /* the worker ends at its next publish */
	return false;
}

bool parking_multishot(struct worker *worker, void *state, uint64_t timeout_ns)
{
	return park(worker, state, true, timeout_ns);
}

bool parking_oneshot(struct worker *worker, void *state, uint64_t timeout_ns)
{
	return park(worker, state, false, timeout_ns);
}

void parking_kick(struct worker *worker, void *state)
{
	struct parking *parking = state;

	struct io_uring_sqe *entry = uring_kick(&parking->uring);

	if (!entry)
		return;
	worker->tx->port->prepare_kick(worker->tx, entry);
	uring_queue_kick(&parking->uring, entry);
	worker->counters.kicks++;
}

void parking_submit(struct worker *worker, void *state)
{
	struct parking *parking = state;

	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER] += uring_submit(&parking->uring);
	worker->counters.wakeups += uring_reap(&parking->uring);
	if (parking->uring.failure)
		worker->counters.fault = (uint64_t)-parking->uring.failure;
}

void parking_leave(struct worker *worker, void *state)
{
	struct parking *parking = state;

	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER] += uring_disarm(&parking->uring);
	parking->was_armed = false;
}

void parking_release(void *state)
{
	struct parking *parking = state;

	uring_close(&parking->uring);
	free(parking);
}
