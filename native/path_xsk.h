/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_PATH_XSK_H
#define XDPLAB_PATH_XSK_H

#include "path.h"
#include "xsk.h"

struct path_xsk {
	struct path path;
	struct xsk xsk;
	struct path_operations operations; /* those that this kind of UMEM needs */
	uint32_t frame_size;
};

/* The path over a socket that is open already. */
void path_xsk_begin(struct path_xsk *path, const struct umem *umem, bool multi_buffer);
int path_xsk_open(struct path_xsk *path, const struct umem *umem, const struct xsk_options *options,
		  struct xdplab_error *error);

#endif
