/* SPDX-License-Identifier: Apache-2.0
 *
 * The common part of an engine's AF_XDP sockets: one UMEM, with a part for each worker. The first socket that is opened
 * registers it, and the others share it.
 */
#ifndef XDPLAB_XSK_SOCKETS_H
#define XDPLAB_XSK_SOCKETS_H

#include "shared/path.h"
#include "xsk/xsk.h"

struct shared_queue;

struct xsk_sockets {
	struct umem umem;
	struct shared_queue *shared_queues; /* receive/shared_queue.h */
	int owner; /* the socket with which the UMEM was registered, or -1 */
};

void *xsk_sockets_share(const struct xdplab_config *config, struct xdplab_error *error);
void xsk_sockets_unshare(void *shared);
struct xdplab_umem xsk_sockets_umem(const void *shared);
/* Of `count` sockets of the queue: the first, or, with that one as `first`, one that has an RX and a TX ring alone. */
int xsk_sockets_open(struct xsk_sockets *sockets, const struct path_place *place, int first, uint32_t count,
		     struct xsk *xsk, struct xdplab_error *error);
/* The first frame of the worker's part of the UMEM. */
uint32_t xsk_first_frame(const struct path_place *place);
void xsk_sockets_closed(struct xsk_sockets *sockets, int descriptor);

#endif
