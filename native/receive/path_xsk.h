/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_PATH_XSK_H
#define XDPLAB_PATH_XSK_H

#include "shared/path.h"
#include "xsk/xsk.h"

struct shared_queue;
struct xsk_sockets;

struct path_xsk {
	struct path path;
	struct xsk xsk;
	struct xsk_sockets *sockets; /* the engine's sockets, of which it is one */
	struct path_operations operations; /* for aligned or unaligned UMEM */
	uint32_t frame_size;
	uint64_t kicked; /* position in the TX ring up to which the driver was asked to send */
	struct shared_queue *shared; /* with other sockets of the engine, or NULL */
	uint32_t member;             /* which of these it is */
};

extern const struct port_operations port_xsk;

/* Initialises the path over an open socket. */
void path_xsk_begin(struct path_xsk *path, const struct umem *umem, bool multi_buffer);

#endif
