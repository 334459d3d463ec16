/* SPDX-License-Identifier: Apache-2.0
 *
 * A handler: a function that a worker calls for each packet that it received, and that says what becomes of the packet.
 * This is the only definition of its signature: the engine is built with this file, and so is what xdplab.c_handler
 * compiles.
 *
 *     uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
 *     {
 *             return packet->length < 100 ? XDPLAB_DROP : XDPLAB_SEND_BACK;
 *     }
 *
 * It runs on the worker's pinned thread, between the RX ring and the fill or TX ring. So it must return soon, and must
 * neither sleep nor lock. It is part of the process: a handler that writes beyond a packet's room, or crashes, takes
 * the process with it, and one that never returns keeps its worker for ever.
 */
#ifndef XDPLAB_HANDLER_H
#define XDPLAB_HANDLER_H

#include <stdint.h>

/* What becomes of a packet. Any other number counts as an error, and the packet is dropped; so does a verdict that the
 * engine can't carry out. */
enum xdplab_handler_verdict {
	XDPLAB_DROP,
	XDPLAB_SEND_BACK, /* by the interface that it came from, as it is now; of an engine without forward_to */
	XDPLAB_FORWARD,   /* by the other interface, of an engine with forward_to */
	XDPLAB_DELIVER,   /* to Python, of a Capture */
};

/* A packet, beside its bytes. The handler may set `length`; what it writes to the others has no effect. */
struct xdplab_packet {
	uint64_t time_ns; /* CLOCK_MONOTONIC when the worker took the packet's batch */
	uint32_t length;  /* bytes at `data`: of a packet of several frames (multi_buffer) those of the first one. May
			   * be set to what is to be sent or delivered, from 14 to `room`, of a packet of one frame */
	uint32_t room;    /* bytes from `data` to the end of the UMEM frame, which may be written to */
	uint32_t total;   /* bytes of the whole packet */
	uint32_t queue;   /* that it came from. With several, each has a worker, and handlers run side by side */
	uint32_t worker;  /* number of the worker, from 0 */
	uint32_t padding;
};

/* `data` is the packet's first byte, of the Ethernet header; `state` is the memory that the handler was attached with, or
 * NULL. Returns an enum xdplab_handler_verdict. */
typedef uint32_t xdplab_handler(uint8_t *data, struct xdplab_packet *packet, void *state);

#endif
