/* SPDX-License-Identifier: Apache-2.0
 *
 * packet: sleeps in recvfrom on a raw AF_PACKET socket, a call for each packet. The stack gets each packet as well.
 */
#include <unistd.h>

#include "receive/socket_path.h"
#include "xdp/xdp.h"

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = socket_path_receive,
	.recycle = socket_path_recycle,
	.wait = socket_path_wait_blocking,
	.publish_receive = socket_path_publish_packet,
	.fault = socket_path_fault,
	.close = socket_path_close,
};

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	int descriptor = socket_path_open_packet(place, error);
	struct path *path;

	if (descriptor < 0)
		return NULL;
	if (socket_path_limit_sleep(descriptor, place, error) ||
	    socket_path_bind_packet(descriptor, place, error)) {
		close(descriptor);
		return NULL;
	}
	path = socket_path_make(sizeof(struct socket_path), &operations, descriptor, place, NULL, error);
	if (path)
		socket_path_of(path)->blocks = true;
	return path;
}

const struct path_kind path_packet = {
	.name = "packet",
	.counts = XDPLAB_COUNTS_ALL,
	.programs = &xdp_kernel,
	.open = open_path,
};
