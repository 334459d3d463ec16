/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of io_uring that wait strategies share: a ring of one thread, a poll of one descriptor on it, and kicks.
 */
#ifndef XDPLAB_URING_H
#define XDPLAB_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct uring {
	struct io_uring ring;
	bool armed;   /* a poll is queued or in the kernel */
	bool queued;  /* there are entries since the last submission */
	bool kicking; /* a kick is among them */
	int failure;  /* 0, or the negative errno with which the kernel ended the poll or refused a kick */
};

static inline struct __kernel_timespec uring_timespec(uint64_t ns)
{
	return (struct __kernel_timespec){ .tv_sec = (long long)(ns / NS_PER_SECOND),
					   .tv_nsec = (long long)(ns % NS_PER_SECOND) };
}

/* To be called on the thread that will use the ring. 0 or a negative errno. */
int uring_open(struct uring *uring);
/* Likewise, with a kernel thread that submits, and sleeps after `idle_ms` without work. The thread runs when this
 * returns. */
int uring_open_sqpoll(struct uring *uring, uint32_t idle_ms);
void uring_close(struct uring *uring);
/* Queues a poll for readability, which ends with its first report unless `multishot`. */
void uring_arm(struct uring *uring, int descriptor, bool multishot);
/* Returns a queued entry in which to prepare a kick. NULL if a kick is queued already, or not yet done by the
 * submission thread: that one sends the same frames. */
struct io_uring_sqe *uring_kick(struct uring *uring);
void uring_queue_kick(struct uring *uring, struct io_uring_sqe *entry);
/* Submits the queued entries without sleeping. Returns the number of system calls. */
uint32_t uring_submit(struct uring *uring);
/* Takes in the kernel's reports. True if the poll was among them; clears `armed` if that was its last report. */
bool uring_reap(struct uring *uring);
/* Cancels the poll, and waits until the kernel has released the descriptor. Returns the number of system calls. */
uint32_t uring_disarm(struct uring *uring);
/* Submits and sleeps, in one io_uring_enter. 1 if the poll reported, 0 on timeout or if a kick failed, or a negative
 * errno. */
int uring_wait(struct uring *uring, uint64_t timeout_ns);

#endif
