/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's sleeps without io_uring: until a packet comes, and as exact as the kernel's timers are.
 */
#ifndef XDPLAB_SLEEP_H
#define XDPLAB_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Sleeps in poll(2), and counts the wake-up or the timeout. */
void sleep_in_poll(struct worker *worker, uint64_t timeout_ns);

/* The time by which the kernel may end a thread's sleeps late, so that several end at once: 50 us unless it is told
 * otherwise (PR_SET_TIMERSLACK of prctl(2)). */
struct slack {
	int before_ns; /* what the thread had */
	bool taken;
};

/* From now on this worker's sleeps end on time; in poll(2) a 1000th of the sleep late at most (select_estimate_accuracy,
 * Linux 6.18). Not those of a capture, whose thread is its user's: threads that it makes would have no slack either, and
 * another thread may close the capture. */
void slack_take(const struct worker *worker, struct slack *slack);
void slack_put_back(struct slack *slack);

#endif
