/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: one thread, pinned to a core, that serves one receive path. That of a capture is the calling thread.
 *
 *     each turn   reads the control block, and the clock once
 *                 takes back frames that were sent
 *                 receives up to `burst` packets in batches, and runs the action on them
 *                 kicks the kernel if it asks for it: to send, to fill
 *                 waits by the wait strategy, if no packet came
 *                 writes a record, if the publish interval is over
 *
 * Once started it never allocates, locks or logs. Its system calls are those of its wait strategy, its
 * kicks, and reading the kernel's counters when it publishes.
 */
#ifndef XDPLAB_WORKER_H
#define XDPLAB_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "include/handler.h"
#include "shared/delivery.h"
#include "shared/pace.h"
#include "shared/path.h"
#include "region/region.h"
#include "shared/spares.h"
#include "shared/stream.h"
#include "shared/wait.h"

struct port;

struct worker {
	/* Set up before the thread starts, read by it. */
	struct path *rx; /* where frames come from, or NULL while it is closed */
	struct path *tx; /* where they leave, the same or another; no other worker uses these rings of rx and tx */
	struct port *port; /* the port whose program redirects to rx */
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
	struct stream *stream;   /* frames that it makes and sends, or NULL */
	struct spares *spares;   /* frames of its own to send, or NULL */
	struct delivery *delivery; /* of a capture, or NULL */
	uint32_t frame_size;       /* of the UMEM */
	bool asks_device;          /* the UMEM is registered for metadata of sent packets */
	bool ran; /* it was running when its engine was paused to be reconfigured */
	struct traffic_state streamed; /* state of its stream at that time */

	/* Used by the thread only. */
	struct xdplab_counters counters;
	struct xdplab_counters base; /* counts when its paths were opened: the kernel restarts at 0 for each socket */
	void *wait_states[WAIT_COUNT];
	uint32_t wait_index;
	const struct wait_strategy *strategy; /* the one in use, and its state */
	void *wait_state;
	uint64_t next_publish_ns;
	/* Of the turn before (worker/loop.c). */
	uint64_t turn_ns;      /* when it began; later by what was not the worker's own time */
	uint32_t turn_handled; /* packets received or made */
	bool turn_spun;        /* it found nothing, and did not sleep */
	uint64_t timed; /* number of the handler whose longest batch is counted */
	struct pace pace;
	uint64_t sample_countdown;
	uint64_t latency_resets; /* number done so far */
	/* The stream whose sequence numbers are followed. */
	bool follows;
	uint16_t followed_stream;
	uint64_t followed_next; /* sequence number expected next */
	uint64_t followed_ns;   /* when the newest was made */
	uint64_t long_peak;   /* highest rx_peak since the last long record */
	uint64_t long_due_ns; /* when the next long record is due */
	/* Since the last record: wall time in turns that had packets, and in turns that spun without any. */
	uint64_t work_ns;
	uint64_t idle_ns;
	/* The thread's CPU clock and context switches at the last record. */
	uint64_t cpu_thread_ns;
	uint64_t switches[2]; /* voluntary, involuntary */

	/* Shared with the thread that starts and stops it. */
	pthread_t thread;
	bool joinable;
	_Atomic bool stop;
	_Atomic(const struct xdplab_handling *) handling; /* of the action handler; NULL: none */
	_Atomic bool in_call; /* a caller runs its turns (worker/capture.c) */
	_Atomic bool draining; /* it sends no more of its stream */
	sem_t prepared;
	int refusals[WAIT_COUNT]; /* errno for which a strategy can't be used; written before `prepared` */
	int refusal;              /* likewise for the first one: a strategy, or the path's own wait */
};

/* For actions: hands the frames of whole packets to the TX ring, which has room for as many as were received. */
void worker_transmit(struct worker *worker, const struct xdp_desc *frames, uint32_t count);

/* Finishes the checksums of `count` frames of the batch that are about to be sent on, or, if nobody changes the frames
 * any more, asks the device to. A worker that must not finish checksums looks at one packet of a batch, so that the loss
 * can be explained. */
void worker_look_at_checksums(struct worker *worker, uint32_t count, bool may_ask);

/* Whether a handler has not returned for so long that it may never do so (worker/held.c). */
bool worker_is_held(const struct worker *worker);
int worker_start(struct worker *worker, struct xdplab_error *error);
/* False if a handler holds it: the thread ends once the handler has returned. */
bool worker_stop(struct worker *worker);

#endif
