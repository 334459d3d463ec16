/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: one thread, pinned to a core, that serves one receive path.
 *
 *     each turn   control block looked at, one clock read
 *                 frames that were sent taken back
 *                 up to `burst` packets received in batches, and acted on
 *                 the kernel kicked, where it asks to be: for sending, for filling
 *                 none came: the wait strategy waits
 *                 the publish interval is over: a record is written
 *
 * Once started it never allocates, locks or logs. Its system calls are those of its wait strategy, its
 * kicks, and reading the kernel's counters when it publishes.
 */
#ifndef XDPLAB_WORKER_H
#define XDPLAB_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "shared/pace.h"
#include "shared/path.h"
#include "region/region.h"
#include "shared/stream.h"
#include "shared/wait.h"

struct port;

struct worker {
	/* Set up before the thread starts, read by it. */
	struct path *rx; /* where frames come from, or NULL while it is closed */
	struct path *tx; /* where they leave, the same or another; each ring of either has this one worker */
	struct port *port; /* whose program leads to rx */
	struct xdplab_worker_block *block;
	const struct xdplab_region *region;
	uint32_t index; /* of its block in the region */
	uint32_t queue;
	uint32_t napi; /* id of the queue's NAPI; 0: unknown */
	int32_t cpu;
	uint32_t realtime;
	uint32_t frames_limit;
	uint64_t clock_offset_ns; /* clock.h */
	struct xdp_desc *frames; /* the batch at hand, frames_limit of them */
	struct stream *stream;   /* what it sends of its own, or NULL */
	bool ran; /* when its engine was paused to be reconfigured */
	struct traffic_state streamed; /* where its stream was */

	/* The thread's own. */
	struct xdplab_counters counters;
	struct xdplab_counters base; /* when its paths were opened: the kernel counts anew for each socket */
	void *wait_states[WAIT_COUNT];
	uint32_t wait_index;
	const struct wait_strategy *strategy; /* the one in use, and its state */
	void *wait_state;
	uint64_t next_publish_ns;
	struct pace pace;
	uint64_t sample_countdown;
	uint64_t latency_resets; /* that were done */
	/* The stream whose sequence numbers are followed. */
	bool follows;
	uint16_t followed_stream;
	uint64_t followed_next; /* sequence number expected next */
	uint64_t followed_ns;   /* when the newest was made */
	uint64_t long_peak; /* highest rx_peak since the last long record */
	/* Since the last record: wall time in turns that had packets, and in turns that spun for nothing. */
	uint64_t work_ns;
	uint64_t idle_ns;
	/* What the thread's own clocks said at the last record. */
	uint64_t cpu_thread_ns;
	uint64_t switches[2]; /* voluntary, involuntary */

	/* Shared with whoever starts and stops it. */
	pthread_t thread;
	bool joinable;
	_Atomic bool stop;
	_Atomic bool draining; /* it makes no more of its stream */
	sem_t prepared;
	int refusals[WAIT_COUNT]; /* errno for which a strategy can't be used; written before `prepared` */
	int refusal;              /* likewise of what it is to begin with: a strategy, or the path's own way */
};

/* For actions: hands the frames of whole packets to the TX ring, which has room for as many as were received. */
void worker_transmit(struct worker *worker, const struct xdp_desc *frames, uint32_t count);

int worker_start(struct worker *worker, struct xdplab_error *error);
void worker_stop(struct worker *worker);

#endif
