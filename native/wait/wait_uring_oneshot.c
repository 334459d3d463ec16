/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-oneshot: sleeps in io_uring_enter on a poll that ends with its first report; the next wait arms it again in the
 * same system call.
 */
#include "wait/parking.h"

static int prepare(struct worker *worker, void **state)
{
	(void)worker;
	return parking_prepare(state, sizeof(struct parking), uring_open);
}

const struct wait_strategy wait_uring_oneshot = {
	.name = "uring-oneshot",
	.prepare = prepare,
	.wait = parking_oneshot,
	.leave = parking_leave,
	.release = parking_release,
	.kick = parking_kick,
	.submit = parking_submit,
};
