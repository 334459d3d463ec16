/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated AF_XDP socket: open it, bound to a queue of a wire's end, enter it in the program's map, and close it.
 */
#ifndef XDPLAB_SOFT_SOCKET_H
#define XDPLAB_SOFT_SOCKET_H

#include "soft/wire.h"
#include "xsk/xsk.h"

struct soft_socket_options {
	struct xdplab_wire *wire;
	uint32_t end;
	uint32_t queue;
	uint32_t bind_mode; /* enum xdplab_bind_mode */
	uint32_t ring_size;
	uint32_t fill_ring_size;
	uint32_t first_frame; /* the fill ring begins with this frame of the UMEM and those that follow */
	uint32_t fill_frames;
	bool metadata;
};

/* Also fills in the worker's side, the rings of `xsk`. NULL if it fails. */
struct soft_socket *soft_socket_open(const struct soft_socket_options *options, const struct umem *umem,
				     struct xsk *xsk, struct xdplab_error *error);
void soft_socket_close(struct soft_socket *socket);
/* Packets of the queue go to the socket from now on. */
void soft_socket_enter(struct soft_socket *socket);
/* Makes the socket's descriptor readable, unless it is. Called on the wire's thread. */
void soft_signal(struct soft_socket *socket);
/* These two replace poll's readiness and sendto (see wire.h). Called on the worker's thread. */
bool soft_socket_clear(struct soft_socket *socket, struct ring *rx);
/* To be called before the bell is rung. */
void soft_socket_kicks(struct soft_socket *socket);
void soft_socket_statistics(const struct soft_socket *socket, struct xdp_statistics *statistics);

#endif
