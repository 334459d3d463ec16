/* SPDX-License-Identifier: Apache-2.0
 *
 * A wait strategy: what a worker does when its RX ring is empty, and how it hands the kernel a kick. A new
 * one is one file wait_*.c and one entry in the table below.
 *
 * Each is prepared when the worker starts, on the worker's thread (an io_uring made for a single issuer
 * belongs to the thread that made it), and may be switched to at any turn. A wait ends by `timeout_ns`, so
 * that a worker always sees its control block and its interface's end.
 *
 * What a strategy asks of the socket (an armed poll, an epoll, socket options) it asks when it first waits
 * and takes back when it is left, so that none pays for another.
 */
#ifndef XDPLAB_WAIT_H
#define XDPLAB_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct wait_strategy {
	const char *name;
	/* True if it returned at once without a sleep: an empty poll in user space. */
	bool (*wait)(struct worker *worker, void *state, uint64_t timeout_ns);
	/* A strategy without state leaves these out. */
	int (*prepare)(struct worker *worker, void **state); /* 0, or a negative errno: can't be used here */
	void (*leave)(struct worker *worker, void *state); /* another strategy takes over, or the worker ends */
	void (*release)(void *state); /* undoes prepare */
	/* Without these two, a kick is a sendto. */
	void (*kick)(struct worker *worker, void *state);   /* may queue it for submit or wait to hand over */
	void (*submit)(struct worker *worker, void *state); /* once a turn, after its kicks */
	bool kicks_elsewhere; /* another thread does the kicks, and the worker spins until it has */
	/* Updates the counters that need a system call; called at each publish, even if the strategy is not in use. */
	void (*publish)(struct worker *worker, void *state);
	/* NULL, or why the strategy has no effect on this device, and which one to use instead. */
	const char *(*ineffective)(const struct worker *worker);
};

/* The table, in the order of the indices that the control block carries. */
#define WAIT_STRATEGIES(entry) \
	entry(spin) \
	entry(busy_poll) \
	entry(poll) \
	entry(epoll) \
	entry(uring_oneshot) \
	entry(uring_multishot) \
	entry(uring_sqpoll) \
	entry(uring_napi) \
	entry(adaptive) \
	entry(timer) \
	entry(epoll_napi) \
	entry(irq_suspend)

#define WAIT_INDEX(name) WAIT_##name,
enum { WAIT_STRATEGIES(WAIT_INDEX) WAIT_COUNT };
#undef WAIT_INDEX

#define WAIT_DECLARE(name) extern const struct wait_strategy wait_##name;
WAIT_STRATEGIES(WAIT_DECLARE)
#undef WAIT_DECLARE

extern const struct wait_strategy *const wait_strategies[WAIT_COUNT];

/* Prepares all strategies, or only the path's own wait if it has one. Sets worker->refusals for those that can't be
 * used, and worker->refusal if that includes the first one. wait_release_all undoes it. */
void wait_prepare_all(struct worker *worker);
void wait_release_all(struct worker *worker);
/* Switches to the strategy, if it can be used. */
void wait_switch(struct worker *worker, uint32_t index);
/* Asks the kernel to send the frames in worker->tx, and counts the system calls. To be repeated as long as frames
 * wait there: the kernel sends a limited number a kick. */
void wait_kick(struct worker *worker);
/* For strategies' kicks. */
void wait_kick_by_sendto(struct worker *worker);
/* Whether another thread sends after a kick, while the worker spins; else the kick itself sends. */
bool wait_kicks_elsewhere(const struct worker *worker);
/* Once a turn: submits queued kicks and takes in the reports of a submission thread, however long packets keep
 * coming. */
void wait_submit(struct worker *worker);
bool wait_for_packets(struct worker *worker, uint64_t timeout_ns);
void wait_publish(struct worker *worker);

#endif
