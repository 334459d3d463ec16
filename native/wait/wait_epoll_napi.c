/* SPDX-License-Identifier: Apache-2.0
 *
 * epoll-napi: as epoll, and epoll_wait drives the socket's NAPI before it sleeps, for the time in the control block
 * (busy_poll_microseconds). Meanwhile interrupts stay off.
 */
#include "base/bounds.h"
#include "base/knob.h"
#include "shared/worker.h"
#include "wait/epoll.h"
#include "wait/socket_napi.h"

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	epoll_napi(worker, state, clamp(knob(&worker->block->control.busy_poll_microseconds), 1, INT32_MAX));
	return epoll_sleep(worker, state, timeout_ns);
}

static const char *ineffective(const struct worker *worker)
{
	return socket_napi(worker) ? NULL :
				     "the driver does not tell an AF_XDP socket its NAPI, so there is nothing to drive: it "
				     "sleeps like epoll. Use that, or uring-napi, which is told the NAPI.";
}

const struct wait_strategy wait_epoll_napi = {
	.name = "epoll-napi",
	.prepare = epoll_prepare_napi,
	.wait = wait,
	.leave = epoll_leave,
	.release = epoll_release,
	.ineffective = ineffective,
};
