/* SPDX-License-Identifier: Apache-2.0 */
#include "uring.h"

#include <errno.h>
#include <poll.h>

#include "clock.h"

enum { POLL_REPORT = 1, CANCEL_REPORT = 2 };

int uring_open(struct uring *uring)
{
	/* With DEFER_TASKRUN (Linux 6.1) the kernel does its part of a wakeup when we come to wait, and never
	 * interrupts the worker at its packets. */
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	uring->armed = false;
	uring->failure = 0;
	return io_uring_queue_init_params(8, &uring->ring, &parameters);
}

void uring_close(struct uring *uring)
{
	uring_disarm(uring);
	io_uring_queue_exit(&uring->ring);
}

void uring_arm(struct uring *uring, int descriptor)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);

	io_uring_prep_poll_multishot(entry, descriptor, POLLIN);
	io_uring_sqe_set_data64(entry, POLL_REPORT);
	uring->armed = true;
}

/* Consumes what was reported; returns which kinds were among it. A poll that failed is reported as such by
 * the next wait. */
static unsigned int take_reports(struct uring *uring)
{
	struct io_uring_cqe *report;
	unsigned int head, count = 0, kinds = 0;

	io_uring_for_each_cqe(&uring->ring, head, report) {
		count++;
		kinds |= (unsigned int)report->user_data;
		if (report->user_data == POLL_REPORT && !(report->flags & IORING_CQE_F_MORE))
			uring->armed = false;
		if (report->user_data == POLL_REPORT && report->res < 0 && report->res != -ECANCELED)
			uring->failure = report->res;
	}
	io_uring_cq_advance(&uring->ring, count);
	return kinds;
}

int uring_wait(struct uring *uring, uint64_t timeout_ns)
{
	struct io_uring_cqe *report;
	struct __kernel_timespec timeout = {
		.tv_sec = (long long)(timeout_ns / NS_PER_SECOND),
		.tv_nsec = (long long)(timeout_ns % NS_PER_SECOND),
	};

	int result = io_uring_submit_and_wait_timeout(&uring->ring, &report, 1, &timeout, NULL);
	unsigned int kinds = take_reports(uring);

	if (result < 0 && result != -ETIME && result != -EINTR)
		return result;
	if (uring->failure)
		return uring->failure;
	return !!(kinds & POLL_REPORT);
}

uint32_t uring_disarm(struct uring *uring)
{
	struct io_uring_sqe *entry;
	unsigned int kinds = 0;
	uint32_t calls = 0;

	if (!uring->armed)
		return 0;
	entry = io_uring_get_sqe(&uring->ring);
	/* Not POLL_REMOVE: it gives up with EALREADY while a wakeup waits to be reported, as one does whenever
	 * packets come, and leaves the poll armed. */
	io_uring_prep_cancel64(entry, POLL_REPORT, 0);
	io_uring_sqe_set_data64(entry, CANCEL_REPORT);
	while (uring->armed || !(kinds & CANCEL_REPORT)) {
		calls++;
		if (io_uring_submit_and_wait(&uring->ring, 1) < 0)
			break;
		kinds |= take_reports(uring);
	}
	return calls;
}
