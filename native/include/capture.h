/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture: an engine whose workers are no threads (worker/capture.c). A caller runs a worker's turns, and gets the
 * frames that it receives. Each frame is the caller's until it gives it back or sends it.
 *
 * Calls for one worker come one at a time, from any thread; xdplab_engine_refresh, reconfigure and close not meanwhile.
 * io_urings belong to the thread that made them, so a call from another thread than the last prepares the wait
 * strategies anew.
 */
#ifndef XDPLAB_INCLUDE_CAPTURE_H
#define XDPLAB_INCLUDE_CAPTURE_H

#include "include/engine.h"
#include "include/frame.h"
#include "include/memory.h"

struct xdplab_call {
	struct xdplab_frame *frames; /* place for as many as `room` says */
	uint32_t room;
	uint64_t timeout_ns; /* 0: takes what is there */
	/* Results. */
	uint32_t count;
	uint64_t time_ns; /* CLOCK_MONOTONIC when it looked */
};

/* Gives frames back, to be filled again. */
void xdplab_capture_give_back(struct xdplab_engine *engine, uint32_t worker, const struct xdplab_frame *frames,
			      uint32_t count);
/* Receives a batch. 0, or a negative errno: the path has ended, or the wait strategy can't be used. */
int xdplab_capture_receive(struct xdplab_engine *engine, uint32_t worker, struct xdplab_call *call,
			   struct xdplab_error *error);
/* Sends frames that the caller has, without a copy; they are its own no more. Returns the number of frames that the
 * kernel took before the timeout, or before the path ended; the rest stay the caller's. */
uint32_t xdplab_capture_send(struct xdplab_engine *engine, uint32_t worker, const struct xdplab_frame *frames,
			     uint32_t count, uint64_t timeout_ns);
/* Likewise copies of frames that lie in `bytes`, none longer than a UMEM frame. */
uint32_t xdplab_capture_send_copies(struct xdplab_engine *engine, uint32_t worker, const uint8_t *bytes,
				    const struct xdplab_frame *frames, uint32_t count, uint64_t timeout_ns);
/* Readable when a frame waits. */
int xdplab_capture_descriptor(const struct xdplab_engine *engine, uint32_t worker);
/* Before a sleep on the descriptor: clears the readiness that was seen. 0 if frames wait, so that the caller must not
 * sleep. */
int xdplab_capture_may_sleep(struct xdplab_engine *engine, uint32_t worker);

/* The UMEM, which stays mapped until it is let go, also when the engine is closed. NULL if the engine has none. */
struct xdplab_memory *xdplab_capture_memory(struct xdplab_engine *engine);

#endif
