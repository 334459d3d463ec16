/* SPDX-License-Identifier: Apache-2.0
 *
 * The port of a kernel AF_XDP socket: the socket itself is what is kicked, drained and waited for.
 */
#include <errno.h>
#include <liburing.h>
#include <stddef.h>
#include <sys/socket.h>

#include "receive/path_xsk.h"

static int kick(struct path *path)
{
	/* Refusals for want of room, and while the interface is down, are answered by the next kick. */
	return sendto(path->descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == ENXIO ? errno : 0;
}

static void prepare_kick(const struct path *path, struct io_uring_sqe *entry)
{
	io_uring_prep_send(entry, path->descriptor, NULL, 0, MSG_DONTWAIT);
}

static void drain(struct path *path)
{
	recvfrom(path->descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* The socket is readable for as long as frames wait, and needs no telling. */
static bool clear(struct path *path)
{
	(void)path;
	return true;
}

static void statistics(struct path *path, struct xdp_statistics *statistics)
{
	xsk_statistics(&((struct path_xsk *)path)->xsk, statistics);
}

static int fault(struct path *path)
{
	return xsk_fault(&((struct path_xsk *)path)->xsk);
}

const struct port_operations port_xsk = {
	.kick = kick,
	.prepare_kick = prepare_kick,
	.drain = drain,
	.clear = clear,
	.statistics = statistics,
	.fault = fault,
};
