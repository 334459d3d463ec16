/* SPDX-License-Identifier: Apache-2.0
 *
 * The little of io_uring that wait strategies share: a ring of one thread, a poll of one descriptor on it,
 * and kicks.
 */
#ifndef XDPLAB_URING_H
#define XDPLAB_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct uring {
	struct io_uring ring;
	bool armed;   /* a poll is in the kernel's hands */
	bool queued;  /* something was, since the last submission */
	bool kicking; /* a kick among it */
	int failure;  /* 0, or the negative errno with which the kernel ended the poll or refused a kick */
};

static inline struct __kernel_timespec uring_timespec(uint64_t ns)
{
	return (struct __kernel_timespec){ .tv_sec = (long long)(ns / NS_PER_SECOND),
					   .tv_nsec = (long long)(ns % NS_PER_SECOND) };
}

/* On the thread that will use it. 0 or a negative errno. */
int uring_open(struct uring *uring);
/* Likewise, with a thread of the kernel's that submits, and falls asleep after `idle_ms` with nothing to do.
 * The thread has begun when this returns. */
int uring_open_sqpoll(struct uring *uring, uint32_t idle_ms);
void uring_close(struct uring *uring);
/* Queues a poll for readability: one that ends with its first report, or one that goes on. */
void uring_arm(struct uring *uring, int descriptor, bool multishot);
/* An entry for a kick to be prepared in, and queued then. NULL if one is queued already, or not yet done by the
 * submission thread: that one sees what this one would. */
struct io_uring_sqe *uring_kick(struct uring *uring);
void uring_queue_kick(struct uring *uring, struct io_uring_sqe *entry);
/* Submits what is queued, without sleeping. Returns the system calls that took. */
uint32_t uring_submit(struct uring *uring);
/* Takes in what the kernel reported. True if the poll was among it; `armed` is false afterwards where that
 * was its last report. */
bool uring_reap(struct uring *uring);
/* Takes the poll back, and waits until the kernel has let go of the descriptor. Returns the system calls
 * that took. */
uint32_t uring_disarm(struct uring *uring);
/* Submits and sleeps, in one io_uring_enter. 1 if the poll reported something, 0 if the time was up or a kick
 * failed, or a negative errno. */
int uring_wait(struct uring *uring, uint64_t timeout_ns);

#endif
