/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-multishot: sleeps in io_uring_enter on one multishot poll, armed once and again only if the kernel ended it.
 */
#include "wait/parking.h"

static int prepare(struct worker *worker, void **state)
{
	(void)worker;
	return parking_prepare(state, sizeof(struct parking), uring_open);
}

const struct wait_strategy wait_uring_multishot = {
	.name = "uring-multishot",
	.prepare = prepare,
	.wait = parking_multishot,
	.leave = parking_leave,
	.release = parking_release,
	.kick = parking_kick,
	.submit = parking_submit,
};
