/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's sleeps without io_uring: until a packet comes, and as exact as the kernel's timers are.
 */
#ifndef XDPLAB_SLEEP_H
#define XDPLAB_SLEEP_H

#include <stdint.h>

struct worker;

/* Sleeps in poll(2), and counts the wake-up or the timeout. */
void sleep_in_poll(struct worker *worker, uint64_t timeout_ns);

/* The time by which the kernel may end a thread's sleeps late, so that several end at once: 50 us unless it is told
 * otherwise (PR_SET_TIMERSLACK of prctl(2)). */
struct slack {
	int before_ns; /* what the thread had; 0 while that holds */
};

/* From now on this thread's sleeps end on time. */
void slack_take(struct slack *slack);
void slack_put_back(struct slack *slack);

#endif
