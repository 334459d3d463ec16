/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/xsk_sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/error.h"
#include "xdp/xdp.h"

uint64_t xdplab_umem_bytes(const struct xdplab_config *config)
{
	return (uint64_t)umem_frames_of_worker(config) * config->worker_count * config->frame_size;
}

void *xsk_sockets_share(const struct xdplab_config *config, struct xdplab_error *error)
{
	const struct umem_options options = {
		.frame_size = config->frame_size,
		.frame_count = umem_frames_of_worker(config) * config->worker_count,
		.headroom = config->headroom,
		.huge_pages = config->huge_pages,
		.unaligned = config->unaligned,
		.transmit_metadata = config->transmit_metadata,
		.shared = config->shared_umem,
	};
	struct xsk_sockets *sockets = calloc(1, sizeof(*sockets));

	if (!sockets) {
		fail(error, XDPLAB_STEP_REGISTER_UMEM, ENOMEM, "allocate a UMEM");
		return NULL;
	}
	sockets->owner = -1;
	if (umem_allocate(&sockets->umem, &options, error)) {
		free(sockets);
		return NULL;
	}
	return sockets;
}

void xsk_sockets_unshare(void *shared)
{
	struct xsk_sockets *sockets = shared;

	umem_free(&sockets->umem);
	free(sockets);
}

struct xdplab_umem xsk_sockets_umem(const void *shared)
{
	const struct umem *umem = &((const struct xsk_sockets *)shared)->umem;

	return (struct xdplab_umem){
		.descriptor = umem->descriptor,
		.frame_size = umem->frame_size,
		.frame_count = umem->frame_count,
		.headroom = umem->headroom,
		.unaligned = umem->unaligned,
		.transmit_metadata = umem->transmit_metadata,
	};
}

/* Without an XDP program on the interface no other engine has a queue of it. A given socket's interface can't be asked
 * from here: it may be in another namespace. */
static bool is_closed(const struct path_place *place)
{
	return place->rebinds || (place->socket < 0 && xdp_is_absent(place->interface_index));
}

uint32_t xsk_first_frame(const struct path_place *place)
{
	return place->index * umem_frames_of_worker(place->config);
}

static uint32_t power_of_two(uint32_t least)
{
	return least > 1 ? 1u << (32 - __builtin_clz(least - 1)) : 1;
}

int xsk_sockets_open(struct xsk_sockets *sockets, const struct path_place *place, int first, uint32_t count,
		     struct xsk *xsk, struct xdplab_error *error)
{
	const struct xdplab_config *config = place->config;
	const struct xsk_options options = {
		.interface_index = place->interface_index,
		.queue = place->worker->queue,
		.ring_size = config->ring_size,
		.fill_ring_size = power_of_two(count * umem_received_frames(config)),
		.completion_ring_size = power_of_two(count * config->ring_size),
		.bind_mode = config->bind_mode,
		.first_frame = xsk_first_frame(place),
		.fill_frames = umem_received_frames(config),
		.multi_buffer = config->multi_buffer,
		.metadata = config->metadata,
		.umem_owner = first < 0 ? sockets->owner : first,
		.joins = first >= 0,
		.umem_registered = place->umem_registered,
		.closed = is_closed(place),
	};
	const int descriptor = path_socket(place, AF_XDP, SOCK_RAW);

	if (descriptor < 0)
		return fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open an AF_XDP socket");
	if (xsk_open(xsk, descriptor, &sockets->umem, &options, error))
		return -error->code;
	if (sockets->owner < 0)
		sockets->owner = xsk->descriptor;
	return 0;
}

void xsk_sockets_closed(struct xsk_sockets *sockets, int descriptor)
{
	if (sockets->owner == descriptor)
		sockets->owner = -1;
}
