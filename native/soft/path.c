/* SPDX-License-Identifier: Apache-2.0
 *
 * The receive path of the soft NIC: the AF_XDP path over a simulated socket (see wire.h).
 */
#include "soft/path.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "soft/program.h"
#include "soft/socket.h"
#include "xsk/xsk_sockets.h"

/* Shared by the paths of an engine: their UMEM, and their references to the wires. */
struct shared {
	struct xsk_sockets *sockets;
	struct xdplab_wire *wires[XDPLAB_PORTS];
};

static struct path_soft *self_of(struct path *path)
{
	return (struct path_soft *)path;
}

/* xdp_umem_reg, Linux 6.18.44: after its headrooms a frame has room for a skb_shared_info and 128 bytes. */
static bool is_registrable(const struct xdplab_config *config)
{
	enum { SMALLEST_FRAME = 2048, LEAST_ROOM = 320 + 128 };
	const uint32_t size = config->frame_size;

	return size >= SMALLEST_FRAME && size <= (uint32_t)sysconf(_SC_PAGESIZE) &&
	       (config->unaligned || !(size & (size - 1))) && config->headroom <= size - SOFT_XDP_HEADROOM - LEAST_ROOM;
}

static int check(const struct xdplab_config *config, struct xdplab_error *error)
{
	const uint32_t size = config->ring_size;

	if (config->multi_buffer)
		return fail(error, XDPLAB_STEP_BIND, EOPNOTSUPP,
			    "have several frames a packet on a simulated interface");
	if (!is_registrable(config))
		return fail(error, XDPLAB_STEP_REGISTER_UMEM, EINVAL, "register a UMEM of frames of %u bytes",
			    config->frame_size);
	if (!size || size & (size - 1))
		return fail(error, XDPLAB_STEP_SIZE_RINGS, EINVAL, "make rings of %u entries", size);
	return 0;
}

static void *share(const struct xdplab_config *config, struct xdplab_error *error)
{
	struct shared *shared;

	if (check(config, error))
		return NULL;
	shared = calloc(1, sizeof(*shared));
	if (!shared) {
		fail(error, XDPLAB_STEP_REGISTER_UMEM, ENOMEM, "allocate a UMEM");
		return NULL;
	}
	shared->sockets = xsk_sockets_share(config, error);
	if (!shared->sockets) {
		free(shared);
		return NULL;
	}
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++) {
		shared->wires[i] = config->wires[i];
		if (shared->wires[i])
			soft_hold(shared->wires[i]);
	}
	return shared;
}

static void unshare_all(void *argument)
{
	struct shared *shared = argument;

	xsk_sockets_unshare(shared->sockets);
	for (uint32_t i = 0; i < XDPLAB_PORTS; i++)
		if (shared->wires[i])
			soft_release(shared->wires[i]);
	free(shared);
}

/* As with a kernel socket, but reading the flag is ordered with the wire's setting it (wire.h). */
static bool wants_kick(struct path *path)
{
	const struct ring *tx = &self_of(path)->xsk.xsk.tx;

	return ring_consumer_position(tx) != tx->own &&
	       atomic_fetch_or_explicit(tx->flags, 0, memory_order_acq_rel) & XDP_RING_NEED_WAKEUP;
}

static int attached(struct path *path, const struct xdp *xdp, struct xdplab_error *error)
{
	(void)xdp;
	(void)error;
	soft_socket_enter(self_of(path)->socket);
	return 0;
}

static void close_path(struct path *path)
{
	struct path_soft *self = self_of(path);

	soft_socket_close(self->socket);
	free(self);
}

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	const struct xdplab_config *config = place->config;
	const struct shared *shared = place->shared;
	const struct umem *umem = &shared->sockets->umem;
	const struct soft_socket_options options = {
		.wire = config->wires[place->worker->port],
		.end = config->ends[place->worker->port],
		.queue = place->worker->queue,
		.bind_mode = config->bind_mode,
		.ring_size = config->ring_size,
		.fill_ring_size = umem_received_frames(config),
		.first_frame = place->index * umem_frames_of_worker(config),
		.fill_frames = umem_received_frames(config),
		.metadata = config->metadata,
	};
	struct path_soft *self = options.wire ? calloc(1, sizeof(*self)) : NULL;

	if (!self) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, options.wire ? ENOMEM : ENODEV, "open a simulated AF_XDP socket");
		return NULL;
	}
	self->socket = soft_socket_open(&options, umem, &self->xsk.xsk, error);
	if (!self->socket) {
		free(self);
		return NULL;
	}
	self->xsk.xsk.descriptor = self->socket->readiness;
	path_xsk_begin(&self->xsk, umem, false);
	self->xsk.operations.wants_kick = wants_kick;
	self->xsk.operations.attached = attached;
	self->xsk.operations.is_reached = NULL;
	self->xsk.operations.close = close_path;
	self->xsk.path.port = &port_soft;
	self->xsk.path.queue = place->worker->queue;
	self->xsk.path.entry = place->worker->entry;
	self->xsk.path.metadata = config->metadata;
	return &self->xsk.path;
}

const struct path_kind path_soft = {
	.name = "soft",
	.counts = XDPLAB_COUNTS_REDIRECTED,
	.programs = &xdp_soft,
	.simulated = true,
	.share = share,
	.unshare = unshare_all,
	.open = open_path,
};
