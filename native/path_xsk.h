/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_PATH_XSK_H
#define XDPLAB_PATH_XSK_H

#include "path.h"
#include "xsk.h"

struct path_xsk {
	struct path path;
	struct umem umem;
	struct xsk xsk;
};

int path_xsk_open(struct path_xsk *path, const struct xdplab_config *config, struct xdplab_error *error);

#endif
