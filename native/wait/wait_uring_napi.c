/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-napi: sleeps in io_uring_enter on a multishot poll, after driving the queue's NAPI there for the time in the
 * control block (busy_poll_microseconds). io_uring gets the NAPI's id (static tracking), so the socket need not know
 * it, as it must for busy-poll. Without an id, as on a simulated interface, there is nothing to drive, and no kernel
 * support is needed.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/compat.h"
#include "base/knob.h"
#include "wait/parking.h"
#include "shared/worker.h"

/* The kernel's own bound. */
enum { MOST_MICROSECONDS = 10000 };

struct uring_napi_state {
	struct parking parking;
	uint32_t microseconds; /* registered time; 0: not registered */
};

static int call(const struct parking *parking, unsigned int operation, uint8_t opcode, uint32_t parameter,
		uint32_t microseconds)
{
	struct xdplab_uring_napi argument = {
		.busy_poll_to = microseconds,
		.prefer_busy_poll = 1,
		.opcode = opcode,
		.op_param = parameter,
	};

	return syscall(__NR_io_uring_register, parking->uring.ring.ring_fd, operation, &argument, 1) < 0 ? -errno :
													    0;
}

enum { REGISTER_CALLS = 2 };

/* Adds the NAPI each time, since setting the time empties the list of NAPIs. */
static int drive(const struct parking *parking, uint32_t napi, uint32_t microseconds)
{
	int result = call(parking, XDPLAB_IORING_REGISTER_NAPI, XDPLAB_IO_URING_NAPI_REGISTER_OP,
			  XDPLAB_IO_URING_NAPI_TRACKING_STATIC, microseconds);

	if (!result)
		result = call(parking, XDPLAB_IORING_REGISTER_NAPI, XDPLAB_IO_URING_NAPI_STATIC_ADD_ID, napi, 0);
	/* The kernel lacks the call or its opcodes. Not EINVAL, which would be reported for io_uring as a whole. */
	return result == -EINVAL ? -EOPNOTSUPP : result;
}

static int prepare(struct worker *worker, void **state)
{
	int result;

	result = parking_prepare(state, sizeof(struct uring_napi_state), uring_open);
	if (result || !worker->napi)
		return result;
	/* A registration costs an idle strategy nothing: only a wait drives NAPI. */
	result = drive(*state, worker->napi, 1);
	if (result)
		parking_release(*state);
	return result;
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	struct uring_napi_state *self = state;
	const uint64_t microseconds = least(knob(&worker->block->control.busy_poll_microseconds), MOST_MICROSECONDS);

	if (worker->napi && self->microseconds != microseconds) {
		const int result = drive(&self->parking, worker->napi, (uint32_t)microseconds);

		if (result)
			worker->counters.fault = (uint64_t)-result;
		worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS] += REGISTER_CALLS;
		self->microseconds = (uint32_t)microseconds;
	}
	return parking_multishot(worker, state, timeout_ns);
}

static const char *ineffective(const struct worker *worker)
{
	return worker->napi ? NULL :
			      "the interface names no NAPI of this queue (a real one does since Linux 6.13), so there is "
			      "nothing to drive: it sleeps like uring-multishot. Use that.";
}

const struct wait_strategy wait_uring_napi = {
	.name = "uring-napi",
	.prepare = prepare,
	.wait = wait,
	.leave = parking_leave,
	.release = parking_release,
	.kick = parking_kick,
	.submit = parking_submit,
	.ineffective = ineffective,
};
