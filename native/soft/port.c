/* SPDX-License-Identifier: Apache-2.0
 *
 * The port of a simulated AF_XDP socket: waits poll the socket's eventfd, and kicks write to the wire's bell.
 */
#include <errno.h>
#include <liburing.h>
#include <sys/eventfd.h>

#include "soft/path.h"
#include "soft/socket.h"

static struct soft_socket *socket_of(const struct path *path)
{
	return ((const struct path_soft *)path)->socket;
}

static int kick(struct path *path)
{
	struct soft_socket *socket = socket_of(path);

	soft_socket_kicks(socket);
	soft_ring_bell(socket->wire);
	return 0;
}

static void prepare_kick(struct path *path, struct io_uring_sqe *entry)
{
	static const uint64_t one = 1;
	struct soft_socket *socket = socket_of(path);

	soft_socket_kicks(socket);
	io_uring_prep_write(entry, socket->wire->bell, &one, sizeof(one), 0);
}

/* The wire's thread sends for all. */
static bool kick_again(struct path *path)
{
	(void)path;
	return false;
}

/* Only a system call, as with a kernel socket: the wire's thread delivers by itself. */
static void drain(struct path *path)
{
	eventfd_t signals;

	eventfd_read(path->descriptor, &signals);
}

/* It has no options, so any value serves: busy-poll then spins with a useless system call. */
static int set_option(const struct path *path, int option, int value)
{
	(void)path;
	(void)option;
	(void)value;
	return 0;
}

static bool clear(struct path *path)
{
	return soft_socket_clear(socket_of(path), &((struct path_xsk *)path)->xsk.rx);
}

static void statistics(struct path *path, struct xdp_statistics *statistics)
{
	soft_socket_statistics(socket_of(path), statistics);
}

/* The same errno as the kernel's for an interface that was removed. */
static int fault(struct path *path)
{
	return soft_is_cut(socket_of(path)->wire) ? ENETDOWN : 0;
}

const struct port_operations port_soft = {
	.kick = kick,
	.prepare_kick = prepare_kick,
	.kick_again = kick_again,
	.drain = drain,
	.set_option = set_option,
	.clear = clear,
	.statistics = statistics,
	.fault = fault,
};
