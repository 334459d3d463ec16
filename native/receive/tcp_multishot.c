/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/tcp_multishot.h"

#include <errno.h>

/* 0; 1 at the end of the stream; or a negative errno. */
static int take(struct tcp_multishot *self, struct tcp_receiver *receiver, void *state,
		const struct io_uring_cqe *report)
{
	if (!(report->flags & IORING_CQE_F_MORE))
		self->armed = false;
	if (report->res > 0)
		return self->take(receiver, state, report);
	if (!report->res)
		return 1;
	return report->res == -self->no_room ? 0 : report->res; /* there is room again by the next receive */
}

static void arm(struct tcp_multishot *self, struct tcp_receiver *receiver, void *state)
{
	self->prepare(receiver, state, io_uring_get_sqe(&self->ring));
	self->armed = true;
}

int tcp_multishot_receive(struct tcp_multishot *self, struct tcp_receiver *receiver, void *state)
{
	struct io_uring_cqe *report;
	unsigned int head, count = 0;
	int result;

	if (!self->armed)
		arm(self, receiver, state);
	tcp_receiver_called(receiver, 1);
	result = io_uring_submit_and_wait(&self->ring, 1);
	if (result < 0)
		return result == -EINTR ? 0 : result;
	result = 0;
	io_uring_for_each_cqe(&self->ring, head, report) {
		count++;
		if ((result = take(self, receiver, state, report)))
			break;
	}
	io_uring_cq_advance(&self->ring, count);
	return result;
}
