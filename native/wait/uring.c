/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/uring.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

/* Never full: a poll, its cancellation and a kick are queued at most once each before they are submitted. */
enum { ENTRIES = 16 };
enum { POLL_REPORT = 1, CANCEL_REPORT = 2, KICK_REPORT = 4 };

static int open_ring(struct uring *uring, struct io_uring_params *parameters)
{
	uring->armed = false;
	uring->queued = false;
	uring->kicking = false;
	uring->failure = 0;
	return io_uring_queue_init_params(ENTRIES, &uring->ring, parameters);
}

int uring_open(struct uring *uring)
{
	/* With DEFER_TASKRUN (Linux 6.1) the kernel does its part of a wakeup only inside our wait, and never
	 * interrupts the worker while it handles packets. */
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	return open_ring(uring, &parameters);
}

int uring_open_sqpoll(struct uring *uring, uint32_t idle_ms)
{
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SQPOLL,
		.sq_thread_idle = idle_ms,
	};

	struct io_uring_cqe *report;
	int result = open_ring(uring, &parameters);

	if (result)
		return result;
	/* Until the thread has run, fdinfo names its creator. */
	io_uring_prep_nop(io_uring_get_sqe(&uring->ring));
	io_uring_submit(&uring->ring);
	result = io_uring_wait_cqe(&uring->ring, &report);
	if (result)
		uring_close(uring);
	else
		io_uring_cqe_seen(&uring->ring, report);
	return result;
}

void uring_close(struct uring *uring)
{
	uring_disarm(uring);
	io_uring_queue_exit(&uring->ring);
}

void uring_arm(struct uring *uring, int descriptor, bool multishot)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);

	if (multishot)
		io_uring_prep_poll_multishot(entry, descriptor, POLLIN);
	else
		io_uring_prep_poll_add(entry, descriptor, POLLIN);
	io_uring_sqe_set_data64(entry, POLL_REPORT);
	uring->armed = true;
	uring->queued = true;
}

static bool submits_itself(const struct uring *uring)
{
	return uring->ring.flags & IORING_SETUP_SQPOLL;
}

struct io_uring_sqe *uring_kick(struct uring *uring)
{
	if (uring->kicking || (submits_itself(uring) && io_uring_sq_ready(&uring->ring)))
		return NULL;
	return io_uring_get_sqe(&uring->ring);
}

void uring_queue_kick(struct uring *uring, struct io_uring_sqe *entry)
{
	/* A successful kick needs no report (Linux 5.17). */
	entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(entry, KICK_REPORT);
	uring->queued = true;
	uring->kicking = true;
}

/* Returns which kinds were among the reports. Sets `failure` if a poll or kick failed for good. */
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
		/* Other errors mean that there was more to send than one kick sends, no room for it, or that the
		 * interface is down for now. */
		if (report->user_data == KICK_REPORT && report->res == -ENXIO)
			uring->failure = report->res;
	}
	io_uring_cq_advance(&uring->ring, count);
	return kinds;
}

bool uring_reap(struct uring *uring)
{
	return take_reports(uring) & POLL_REPORT;
}

uint32_t uring_submit(struct uring *uring)
{
	uint32_t calls;

	/* Not while a submission thread has not yet handled the last submission. */
	if (!uring->queued)
		return 0;
	/* liburing enters the kernel for a submission thread only if that sleeps. */
	calls = !submits_itself(uring) || IO_URING_READ_ONCE(*uring->ring.sq.kflags) & IORING_SQ_NEED_WAKEUP;
	io_uring_submit(&uring->ring);
	uring->queued = uring->kicking = false;
	return calls;
}

int uring_wait(struct uring *uring, uint64_t timeout_ns)
{
	struct io_uring_cqe *report;
	struct __kernel_timespec timeout = uring_timespec(timeout_ns);

	int result = io_uring_submit_and_wait_timeout(&uring->ring, &report, 1, &timeout, NULL);
	unsigned int kinds = take_reports(uring);

	uring->queued = uring->kicking = false;
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
	/* Not POLL_REMOVE: while a wakeup waits to be reported, as it does whenever packets come, that fails with
	 * EALREADY and leaves the poll armed. */
	io_uring_prep_cancel64(entry, POLL_REPORT, 0);
	io_uring_sqe_set_data64(entry, CANCEL_REPORT);
	while (uring->armed || !(kinds & CANCEL_REPORT)) {
		calls++;
		if (io_uring_submit_and_wait(&uring->ring, 1) < 0)
			break;
		kinds |= take_reports(uring);
	}
	uring->queued = uring->kicking = false;
	return calls;
}
