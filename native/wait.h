/* SPDX-License-Identifier: Apache-2.0
 *
 * A wait strategy: what a worker does when its RX ring is empty. A new one is one file wait_*.c and one
 * entry in the table below.
 *
 * Each is prepared when the worker starts, on the worker's thread (an io_uring made for a single issuer
 * belongs to the thread that made it), and may be switched to at any turn. A wait ends by `timeout_ns`, so
 * that a worker always sees its control block and its interface's end.
 */
#ifndef XDPLAB_WAIT_H
#define XDPLAB_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct wait_strategy {
	const char *name;
	bool spins; /* its waiting is CPU time in user mode */
	void (*wait)(struct worker *worker, void *state, uint64_t timeout_ns);
	/* A strategy without state leaves these out. */
	int (*prepare)(void **state); /* 0, or a negative errno: can't be used here */
	void (*leave)(struct worker *worker, void *state); /* another strategy takes over */
	void (*release)(void *state); /* undoes prepare */
};

/* The table, in the order of the indices that the control block carries. */
#define WAIT_STRATEGIES(entry) \
	entry(spin) \
	entry(poll) \
	entry(uring_multishot)

#define WAIT_INDEX(name) WAIT_##name,
enum { WAIT_STRATEGIES(WAIT_INDEX) WAIT_COUNT };
#undef WAIT_INDEX

#define WAIT_DECLARE(name) extern const struct wait_strategy wait_##name;
WAIT_STRATEGIES(WAIT_DECLARE)
#undef WAIT_DECLARE

extern const struct wait_strategy *const wait_strategies[WAIT_COUNT];

#endif
