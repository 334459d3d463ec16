/* SPDX-License-Identifier: Apache-2.0
 *
 * The AF_XDP receive path: RX ring to worker, worker back to fill ring.
 */
#include "path_xsk.h"

#include <stddef.h>
#include <sys/socket.h>

static struct xsk *socket_of(struct path *path)
{
	return &((struct path_xsk *)path)->xsk;
}

static uint32_t receive(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct ring *rx = &socket_of(path)->rx;
	uint32_t count = ring_waiting(rx);

	if (!count)
		return 0;
	if (count > path->peak)
		path->peak = count;
	if (count > limit)
		count = limit;
	for (uint32_t i = 0; i < count; i++)
		frames[i] = *ring_descriptor(rx, rx->own + i);
	ring_release(rx, count);
	return count;
}

/* The fill ring is as large as the UMEM, so there is always room. The kernel takes any address within a
 * frame for the frame (xp_aligned_extract_addr, Linux 6.18), so the headroom need not be taken off. */
static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct ring *fill = &socket_of(path)->fill;

	for (uint32_t i = 0; i < count; i++)
		*ring_address(fill, fill->own + i) = frames[i].addr;
	ring_submit(fill, count);
}

/* A zero-copy driver that ran out of frames sleeps until it is told that there are new ones. In copy mode
 * the flag is never set. */
static bool kick(struct path *path)
{
	struct xsk *xsk = socket_of(path);

	if (!ring_needs_wakeup(&xsk->fill))
		return false;
	recvfrom(xsk->descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return true;
}

static void publish(struct path *path, struct xdplab_counters *counters)
{
	const struct xsk *xsk = socket_of(path);
	struct xdp_statistics statistics = { 0 }; /* kernels before 5.9 fill in the first three */

	counters->fill_producer = xsk->fill.own;
	counters->fill_consumer = ring_consumer_position(&xsk->fill);
	counters->rx_producer = ring_producer_position(&xsk->rx);
	counters->rx_consumer = xsk->rx.own;
	counters->tx_producer = xsk->tx.own;
	counters->tx_consumer = ring_consumer_position(&xsk->tx);
	counters->completion_producer = ring_producer_position(&xsk->completion);
	counters->completion_consumer = xsk->completion.own;
	counters->rx_peak = path->peak;
	path->peak = 0;
	counters->syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (!xsk_statistics(xsk, &statistics))
		return;
	counters->rx_dropped = statistics.rx_dropped;
	counters->rx_invalid_descs = statistics.rx_invalid_descs;
	counters->tx_invalid_descs = statistics.tx_invalid_descs;
	counters->rx_ring_full = statistics.rx_ring_full;
	counters->rx_fill_ring_empty_descs = statistics.rx_fill_ring_empty_descs;
	counters->tx_ring_empty_descs = statistics.tx_ring_empty_descs;
}

static int fault(struct path *path)
{
	return xsk_fault(socket_of(path));
}

static void close_path(struct path *path)
{
	struct path_xsk *self = (struct path_xsk *)path;

	xsk_close(&self->xsk);
	umem_free(&self->umem);
}

static const struct path_operations operations = {
	.receive = receive,
	.recycle = recycle,
	.kick = kick,
	.publish = publish,
	.fault = fault,
	.close = close_path,
};

int path_xsk_open(struct path_xsk *self, const struct xdplab_config *config, struct xdplab_error *error)
{
	/* Twice the RX ring: with it full, half of the frames are still in the fill ring, so a lost frame is
	 * told as what it is, an RX ring that was full. */
	const uint32_t frames = 2 * config->ring_size;
	const struct xsk_options options = {
		.interface_index = config->interface_index,
		.queue = config->queue,
		.ring_size = config->ring_size,
		.fill_ring_size = frames,
		.bind_mode = config->bind_mode,
	};

	if (umem_allocate(&self->umem, config->frame_size, frames, error))
		return -error->code;
	if (xsk_open(&self->xsk, &self->umem, &options, error)) {
		umem_free(&self->umem);
		return -error->code;
	}
	self->path = (struct path){
		.operations = &operations,
		.area = self->umem.area,
		.descriptor = self->xsk.descriptor,
	};
	return 0;
}
