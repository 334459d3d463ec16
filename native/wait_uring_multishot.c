/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-multishot: sleeps in io_uring_enter on one multishot poll, armed once and again only where the
 * kernel ended it.
 *
 * A multishot poll reports wakeups, not levels. The worker waits only after it saw the RX ring empty, and
 * what came since is a report that waits in the kernel, so it never sleeps on waiting packets.
 */
#include <errno.h>
#include <stdlib.h>

#include "uring.h"
#include "worker.h"

struct multishot {
	struct uring uring;
	bool was_armed; /* since the strategy was last taken up */
};

static int prepare(void **state)
{
	struct multishot *multishot = calloc(1, sizeof(*multishot));
	int result;

	if (!multishot)
		return -ENOMEM;
	result = uring_open(&multishot->uring);
	if (result) {
		free(multishot);
		return result;
	}
	*state = multishot;
	return 0;
}

static void wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct multishot *multishot = state;
	int result;

	if (!multishot->uring.armed) {
		worker->counters.rearms += multishot->was_armed;
		uring_arm(&multishot->uring, worker->rx->descriptor);
		multishot->was_armed = true;
	}
	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER]++;
	result = uring_wait(&multishot->uring, timeout_ns);
	if (result > 0)
		worker->counters.wakeups++;
	else if (result == 0)
		worker->counters.timeouts++;
	else
		worker->counters.fault = (uint64_t)-result; /* the worker ends when it comes to publish */
}

static void leave(struct worker *worker, void *state)
{
	struct multishot *multishot = state;

	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER] += uring_disarm(&multishot->uring);
	multishot->was_armed = false;
}

static void release(void *state)
{
	struct multishot *multishot = state;

	uring_close(&multishot->uring);
	free(multishot);
}

const struct wait_strategy wait_uring_multishot = {
	.name = "uring-multishot",
	.prepare = prepare,
	.wait = wait,
	.leave = leave,
	.release = release,
};
