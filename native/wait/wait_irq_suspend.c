/* SPDX-License-Identifier: Apache-2.0
 *
 * irq-suspend: as epoll, and each epoll_wait drives the socket's NAPI once. If it brings packets, the kernel suspends the
 * queue's interrupts for the NAPI's irq_suspend_timeout (Linux 6.13), so that none disturbs the worker while it is busy;
 * it resumes them when an epoll_wait finds none, before the worker sleeps.
 */
#include "shared/worker.h"
#include "wait/epoll.h"
#include "wait/socket_napi.h"

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	epoll_napi(worker, state, 0);
	return epoll_sleep(worker, state, timeout_ns);
}

static const char *ineffective(const struct worker *worker)
{
	return socket_napi(worker) ? NULL :
				     "the driver does not tell an AF_XDP socket its NAPI, so no interrupts can be suspended: it "
				     "sleeps like epoll. Use that.";
}

const struct wait_strategy wait_irq_suspend = {
	.name = "irq-suspend",
	.prepare = epoll_prepare_napi,
	.wait = wait,
	.leave = epoll_leave,
	.release = epoll_release,
	.ineffective = ineffective,
};
