/* SPDX-License-Identifier: Apache-2.0
 *
 * spin: looks again at once. A core for the lowest latency; no system call.
 */
#include "shared/wait.h"

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	(void)worker;
	(void)state;
	(void)timeout_ns;
	return true;
}

const struct wait_strategy wait_spin = { .name = "spin", .wait = wait };
