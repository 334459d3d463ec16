/* SPDX-License-Identifier: Apache-2.0
 *
 * The common part of an engine's AF_XDP sockets: one UMEM, with a part for each worker. The first socket that is opened
 * registers it, and the others share it.
 */
#ifndef XDPLAB_XSK_SOCKETS_H
#define XDPLAB_XSK_SOCKETS_H

#include "shared/path.h"
#include "xsk/xsk.h"

struct xsk_sockets {
	struct umem umem;
	int owner; /* the socket with which the UMEM was registered, or -1 */
};

void *xsk_sockets_share(const struct xdplab_config *config, struct xdplab_error *error);
void xsk_sockets_unshare(void *shared);
struct xdplab_umem xsk_sockets_umem(const void *shared);
int xsk_sockets_open(struct xsk_sockets *sockets, const struct path_place *place, struct xsk *xsk,
		     struct xdplab_error *error);
void xsk_sockets_closed(struct xsk_sockets *sockets, int descriptor);

#endif
