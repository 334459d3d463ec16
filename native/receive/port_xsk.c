/* SPDX-License-Identifier: Apache-2.0
 *
 * The port of a kernel AF_XDP socket: kicks, drains and waits work on the socket itself.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#include "receive/path_xsk.h"

static void note_kick(struct path *path)
{
	struct path_xsk *self = (struct path_xsk *)path;

	self->kicked = self->xsk.tx.own;
}

static int kick(struct path *path)
{
	note_kick(path);
	/* Other errors, for lack of room or while the interface is down, need only the next kick. */
	return sendto(path->descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == ENXIO ? errno : 0;
}

static void prepare_kick(struct path *path, struct io_uring_sqe *entry)
{
	note_kick(path);
	io_uring_prep_send(entry, path->descriptor, NULL, 0, MSG_DONTWAIT);
}

/* sendto wakes no zero-copy driver for a socket that prefers busy polling (xsk_no_wakeup, Linux 6.18); poll does. There are
 * frames left where a queue sends from another NAPI than it receives with, as igb's do where it has an interrupt for each. */
static bool kick_again(struct path *path)
{
	const struct ring *tx = &((struct path_xsk *)path)->xsk.tx;
	struct pollfd readiness = { .fd = path->descriptor };

	if (ring_consumer_position(tx) == tx->own || !ring_needs_wakeup(tx))
		return false;
	poll(&readiness, 1, 0);
	return true;
}

static void drain(struct path *path)
{
	recvfrom(path->descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static int set_option(const struct path *path, int option, int value)
{
	return setsockopt(path->descriptor, SOL_SOCKET, option, &value, sizeof(value)) ? -errno : 0;
}

/* The socket is readable as long as frames wait, so there is nothing to clear. */
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
	.kick_again = kick_again,
	.drain = drain,
	.set_option = set_option,
	.clear = clear,
	.statistics = statistics,
	.fault = fault,
};
