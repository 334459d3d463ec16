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

#define XDPLAB_NO_FRAME 0xffffffffffffffff

struct xdplab_call {
	struct xdplab_frame *frames; /* place for as many as `room` says */
	uint32_t room;
	uint64_t timeout_ns; /* 0: takes what is there */
	/* Results. */
	uint32_t wanted; /* the knob `batch`, and no less than a packet needs: if more than `room`, nothing was received */
	uint32_t count;
	uint64_t time_ns; /* CLOCK_MONOTONIC when it looked */
};

/* Gives frames back, to be filled again. A frame that the engine takes from the caller gets the address
 * XDPLAB_NO_FRAME, here and in xdplab_capture_send, and such ones are skipped: so a caller that was interrupted may
 * repeat a call. */
void xdplab_capture_give_back(struct xdplab_engine *engine, uint32_t worker, struct xdplab_frame *frames,
			      uint32_t count);
/* Receives a batch. 0, or a negative errno: the path has ended, or the wait strategy can't be used. */
int xdplab_capture_receive(struct xdplab_engine *engine, uint32_t worker, struct xdplab_call *call,
			   struct xdplab_error *error);
/* Sends frames from the first on: those in `bytes` as copies, none longer than a UMEM frame; without `bytes`, frames
 * that the caller has, which are then its own no more. Stops at the timeout, or when the path has ended. Adds the
 * number of sent ones to `sent`, from which it begins. */
void xdplab_capture_send(struct xdplab_engine *engine, uint32_t worker, const uint8_t *bytes,
			 struct xdplab_frame *frames, uint32_t count, uint64_t timeout_ns, uint32_t *sent);
/* Lets only packets that pass a filter reach the caller, from the next call on: classic BPF, 8 bytes an instruction
 * (struct sock_filter). None: all. 0, or a negative errno: it is no filter, and the one before stays. */
int xdplab_capture_filter(struct xdplab_engine *engine, uint32_t worker, const uint8_t *instructions, uint32_t count);
/* Whether a packet passes a filter; -EINVAL if it is none. */
int xdplab_filter_passes(const uint8_t *instructions, uint32_t count, const uint8_t *bytes, uint32_t length);
/* Readable when a frame waits. */
int xdplab_capture_descriptor(const struct xdplab_engine *engine, uint32_t worker);
/* Before a sleep on the descriptor: clears the readiness that was seen. 0 if frames wait, so that the caller must not
 * sleep. */
int xdplab_capture_may_sleep(struct xdplab_engine *engine, uint32_t worker);

/* The UMEM, which stays mapped until it is let go, also when the engine is closed. NULL if the engine has none. */
struct xdplab_memory *xdplab_capture_memory(struct xdplab_engine *engine);

#endif
