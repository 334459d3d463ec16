/* SPDX-License-Identifier: Apache-2.0
 *
 * Sleeps on an io_uring poll: the common code of the wait strategies on io_uring. The functions are those of struct
 * wait_strategy, and the state is a struct that begins with a struct parking.
 *
 * A poll reports wakeups, not levels. The worker parks only after it saw the RX ring empty, and packets that came
 * since have left a report in the kernel, so it never sleeps while packets wait.
 */
#ifndef XDPLAB_PARKING_H
#define XDPLAB_PARKING_H

#include <stddef.h>

#include "wait/uring.h"
#include "shared/wait.h"

struct parking {
	struct uring uring;
	bool was_armed; /* since the last switch to the strategy */
};

/* Makes a state of `size` bytes, zeroed, with the ring that `open` makes. 0 or a negative errno. */
int parking_prepare(void **state, size_t size, int (*open)(struct uring *uring));
/* Sleep on a poll that is armed once, or again after each report. */
bool parking_multishot(struct worker *worker, void *state, uint64_t timeout_ns);
bool parking_oneshot(struct worker *worker, void *state, uint64_t timeout_ns);
void parking_kick(struct worker *worker, void *state);
void parking_submit(struct worker *worker, void *state);
void parking_leave(struct worker *worker, void *state);
void parking_release(void *state);

#endif
