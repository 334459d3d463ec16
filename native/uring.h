/* SPDX-License-Identifier: Apache-2.0
 *
 * The little of io_uring that wait strategies share: a ring of one thread, and a poll of one descriptor on it.
 */
#ifndef XDPLAB_URING_H
#define XDPLAB_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

struct uring {
	struct io_uring ring;
	bool armed;  /* a poll is in the kernel's hands */
	int failure; /* 0, or the negative errno with which the kernel ended the poll */
};

/* On the thread that will use it. 0 or a negative errno. */
int uring_open(struct uring *uring);
void uring_close(struct uring *uring);
/* Queues a multishot poll for readability, submitted by the next wait. */
void uring_arm(struct uring *uring, int descriptor);
/* Takes the poll back, and waits until the kernel has let go of the descriptor. Returns the system calls
 * that took. */
uint32_t uring_disarm(struct uring *uring);
/* Submits and sleeps, in one io_uring_enter. 1 if the poll reported something, 0 if the time was up, or a
 * negative errno; `armed` is false afterwards where that was the poll's last report. */
int uring_wait(struct uring *uring, uint64_t timeout_ns);

#endif
