/* SPDX-License-Identifier: Apache-2.0
 *
 * udp-blocking: sleeps in recvfrom on a UDP socket, a call for each datagram.
 */
#include <unistd.h>

#include "receive/socket_path.h"
#include "xdp/xdp.h"

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = socket_path_receive,
	.recycle = socket_path_recycle,
	.wait = socket_path_wait_blocking,
	.publish_receive = socket_path_publish_udp,
	.fault = socket_path_fault,
	.close = socket_path_close,
};

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	int descriptor = socket_path_open_udp(place, error);
	struct path *path;

	if (descriptor < 0)
		return NULL;
	if (socket_path_limit_sleep(descriptor, place, error)) {
		close(descriptor);
		return NULL;
	}
	path = socket_path_make(sizeof(struct socket_path), &operations, descriptor, place, NULL, error);
	if (!path)
		return NULL;
	path->bare = true;
	socket_path_of(path)->blocks = true;
	return path;
}

const struct path_kind path_udp_blocking = {
	.name = "udp-blocking",
	.counts = XDPLAB_COUNTS_DATAGRAMS,
	.programs = &xdp_kernel,
	.open = open_path,
};
