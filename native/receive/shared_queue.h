/* SPDX-License-Identifier: Apache-2.0
 *
 * Several sockets of an engine on one queue. Each has an RX and a TX ring of its own. The kernel has one fill ring and
 * one completion ring for a queue, so these are theirs together:
 *
 *     fill ring        any worker puts the frames there that it is done with. A frame is nobody's: the kernel fills
 *                      it for the socket that the XDP program chooses.
 *     completion ring  a frame that was sent belongs to the worker that sent it, which counts its room in the TX ring
 *                      by them. Whoever finds frames there gives each to its sender: into a ring in ordinary memory,
 *                      which the sender reads as its completion ring.
 *
 * Either ring has one end in user space. A worker holds a lock while it has that end, for the copy of a batch's
 * addresses; a worker that finds it held spins shortly, then sleeps, so that it can't keep the holder from its core.
 */
#ifndef XDPLAB_SHARED_QUEUE_H
#define XDPLAB_SHARED_QUEUE_H

#include "shared/path.h"

struct path_xsk;
struct shared_queue;
struct xsk_sockets;

/* Number of sockets that the engine has on this worker's queue. */
uint32_t shared_queue_sockets(const struct path_place *place);
/* Opens the path's socket, as one of them. */
int shared_queue_open(struct path_xsk *path, struct xsk_sockets *sockets, const struct path_place *place,
		      struct xdplab_error *error);
/* Makes an opened path, which path_xsk_begin has begun, use the queue's rings. */
void shared_queue_begin(struct path_xsk *path);

#endif
