/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_PATH_XSK_H
#define XDPLAB_PATH_XSK_H

#include "shared/path.h"
#include "xsk/xsk.h"

struct xsk_sockets;

struct path_xsk {
	struct path path;
	struct xsk xsk;
	struct xsk_sockets *sockets; /* that it is one of */
	struct path_operations operations; /* those that this kind of UMEM needs */
	uint32_t frame_size;
};

extern const struct port_operations port_xsk;

/* The path over a socket that is open already. */
void path_xsk_begin(struct path_xsk *path, const struct umem *umem, bool multi_buffer);

#endif
