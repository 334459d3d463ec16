/* SPDX-License-Identifier: Apache-2.0
 *
 * poll: sleeps in poll(2) until a packet comes.
 */
#include "shared/wait.h"
#include "wait/sleep.h"

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	(void)state;
	sleep_in_poll(worker, timeout_ns);
	return false;
}

const struct wait_strategy wait_poll = { .name = "poll", .wait = wait };
