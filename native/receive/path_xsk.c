/* SPDX-License-Identifier: Apache-2.0
 *
 * The AF_XDP receive path: RX ring to worker, worker back to fill ring.
 */
#include "receive/path_xsk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "receive/shared_queue.h"
#include "xdp/xdp.h"
#include "xsk/xsk_sockets.h"

static struct path_xsk *self_of(struct path *path)
{
	return (struct path_xsk *)path;
}

static struct xsk *socket_of(struct path *path)
{
	return &self_of(path)->xsk;
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

static void drop_packet(struct path *path, uint64_t begin, uint64_t end)
{
	path->too_long++;
	while (begin < end)
		path->operations->recycle(path, ring_descriptor(&socket_of(path)->rx, begin++), 1);
}

/* Whole packets only. In copy mode the kernel delivers only whole ones (xsk_flush, Linux 6.18); a zero-copy driver may
 * have delivered a part of one, which then waits for its rest. */
static uint32_t receive_packets(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct ring *rx = &socket_of(path)->rx;
	const uint32_t waiting = ring_waiting_now(rx);
	uint32_t count = 0, taken = 0, end = 0;

	if (waiting > path->peak)
		path->peak = waiting;
	while (end < waiting) {
		if (ring_descriptor(rx, rx->own + end++)->options & XDP_PKT_CONTD)
			continue;
		if (end - taken > path->packet_frames) {
			drop_packet(path, rx->own + taken, rx->own + end);
			taken = end;
		}
		if (count + (end - taken) > limit)
			break;
		while (taken < end)
			frames[count++] = *ring_descriptor(rx, rx->own + taken++);
	}
	if (taken)
		ring_release(rx, taken);
	return count;
}

/* The fill ring is as large as the UMEM, so there is always room. The kernel takes any address within a
 * frame for the frame (xp_aligned_extract_addr, Linux 6.18), so the headroom need not be subtracted. */
static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct ring *fill = &socket_of(path)->fill;

	for (uint32_t i = 0; i < count; i++)
		*ring_address(fill, fill->own + i) = frames[i].addr;
	ring_submit(fill, count);
}

/* Adds the offset in an unaligned descriptor to its address, since all users but the kernel need the packet's
 * beginning. It may be sent in this form too, with an offset of 0. */
static uint32_t add_offsets(struct xdp_desc *frames, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		frames[i].addr = (frames[i].addr & XSK_UNALIGNED_BUF_ADDR_MASK) +
				 (frames[i].addr >> XSK_UNALIGNED_BUF_OFFSET_SHIFT);
	return count;
}

static uint32_t receive_unaligned(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	return add_offsets(frames, receive(path, frames, limit));
}

static uint32_t receive_unaligned_packets(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	return add_offsets(frames, receive_packets(path, frames, limit));
}

/* In unaligned mode the kernel fills from the given address on, so it must be the frame's base. Our frames are
 * consecutive from the area's beginning. */
static void recycle_unaligned(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	const uint32_t frame_size = self_of(path)->frame_size;
	struct ring *fill = &socket_of(path)->fill;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t address = frames[i].addr & XSK_UNALIGNED_BUF_ADDR_MASK;

		*ring_address(fill, fill->own + i) = address - address % frame_size;
	}
	ring_submit(fill, count);
}

/* A zero-copy driver that ran out of frames sleeps until a system call tells it of new ones. In copy mode the flag is
 * never set. */
static bool kick(struct path *path)
{
	if (!ring_needs_wakeup(&socket_of(path)->fill))
		return false;
	path->port->drain(path);
	return true;
}

/* Frames sent and not yet taken back count too, and one entry stays free. So at most a ring of frames is away, and of a
 * worker's two rings of frames one frame is left when the RX ring is full: without it the kernel would count a loss as
 * "no frame to fill", not as a full RX ring. */
static uint32_t room(const struct path *path)
{
	const struct xsk *xsk = &((const struct path_xsk *)path)->xsk;

	return xsk->tx.size - 1 - (uint32_t)(xsk->tx.own - xsk->completion.own);
}

static void transmit(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct ring *tx = &socket_of(path)->tx;

	for (uint32_t i = 0; i < count; i++)
		*ring_descriptor(tx, tx->own + i) = frames[i];
	ring_submit(tx, count);
}

static uint32_t complete(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct ring *completion = &socket_of(path)->completion;
	uint32_t count = ring_waiting(completion);

	if (count > limit)
		count = limit;
	for (uint32_t i = 0; i < count; i++)
		frames[i] = (struct xdp_desc){ .addr = *ring_address(completion, completion->own + i) };
	if (count)
		ring_release(completion, count);
	return count;
}

static bool wants_kick(struct path *path)
{
	const struct ring *tx = &socket_of(path)->tx;

	return ring_consumer_position(tx) != tx->own && ring_needs_wakeup(tx);
}

/* A zero-copy driver sends after a kick, from its NAPI, all that it finds in the TX ring, while the worker goes on: it
 * is asked once for each frame, not until it has taken them. The fence: either the driver, once it has set the flag,
 * sees the frames, or this sees the flag. */
static bool wants_kick_once(struct path *path)
{
	const struct path_xsk *self = self_of(path);

	if (self->kicked == self->xsk.tx.own)
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	return wants_kick(path);
}

static struct xdp_statistics statistics_of(struct path *path, struct xdplab_counters *counters)
{
	struct xdp_statistics statistics = { 0 }; /* kernels before 5.9 fill in the first three */

	counters->syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	path->port->statistics(path, &statistics);
	return statistics;
}

static void publish_receive(struct path *path, const struct xdplab_counters *base,
			    struct xdplab_counters *counters)
{
	const struct xsk *xsk = socket_of(path);
	const struct xdp_statistics statistics = statistics_of(path, counters);

	counters->fill_producer = base->fill_producer + xsk->fill.own;
	counters->fill_consumer = base->fill_consumer + ring_consumer_position(&xsk->fill);
	counters->rx_producer = base->rx_producer + ring_producer_position(&xsk->rx);
	counters->rx_consumer = base->rx_consumer + xsk->rx.own;
	counters->rx_too_long = base->rx_too_long + path->too_long;
	counters->needs_wakeup = ring_needs_wakeup(&xsk->fill) ? XDPLAB_FILL_NEEDS_WAKEUP : 0;
	counters->rx_peak = path->peak;
	path->peak = 0;
	counters->rx_dropped = base->rx_dropped + statistics.rx_dropped;
	counters->rx_invalid_descs = base->rx_invalid_descs + statistics.rx_invalid_descs;
	counters->rx_ring_full = base->rx_ring_full + statistics.rx_ring_full;
	counters->rx_fill_ring_empty_descs = base->rx_fill_ring_empty_descs + statistics.rx_fill_ring_empty_descs;
}

static void publish_transmit(struct path *path, const struct xdplab_counters *base,
			     struct xdplab_counters *counters)
{
	const struct xsk *xsk = socket_of(path);
	const struct xdp_statistics statistics = statistics_of(path, counters);

	/* A driver that sets its rings up anew loses a kick: it is asked again for what it has not taken by now. */
	self_of(path)->kicked = ring_consumer_position(&xsk->tx);
	counters->tx_producer = base->tx_producer + xsk->tx.own;
	counters->tx_consumer = base->tx_consumer + ring_consumer_position(&xsk->tx);
	counters->completion_producer = base->completion_producer + ring_producer_position(&xsk->completion);
	counters->completion_consumer = base->completion_consumer + xsk->completion.own;
	counters->needs_wakeup |= ring_needs_wakeup(&xsk->tx) ? XDPLAB_TX_NEEDS_WAKEUP : 0;
	counters->tx_invalid_descs = base->tx_invalid_descs + statistics.tx_invalid_descs;
	counters->tx_ring_empty_descs = base->tx_ring_empty_descs + statistics.tx_ring_empty_descs;
}

/* Copies only the waiting entries of a ring that the kernel fills: it may be writing to the others. */
static void show_addresses(const struct ring *ring, uint64_t from, uint64_t to, uint64_t *addresses)
{
	for (uint64_t position = from; position < to; position++)
		addresses[position & ring->mask] = *ring_address(ring, position);
}

static void show_descriptors(const struct ring *ring, uint64_t from, uint64_t to, uint64_t *addresses)
{
	for (uint64_t position = from; position < to; position++)
		addresses[position & ring->mask] = ring_descriptor(ring, position)->addr;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The kernel publishes its position in the fill ring after that in the RX ring (xsk_flush, Linux 6.18). No frame is in
 * both, so it took at least as many; likewise for the rings below. */
static void show_receive(struct path *path, struct xdplab_rings *rings)
{
	const struct xsk *xsk = socket_of(path);

	rings->rx_producer = ring_producer_position(&xsk->rx);
	rings->rx_consumer = xsk->rx.own;
	rings->fill_producer = xsk->fill.own;
	rings->fill_consumer = later(ring_consumer_position(&xsk->fill), rings->rx_producer);
	rings->needs_wakeup = ring_needs_wakeup(&xsk->fill) ? XDPLAB_FILL_NEEDS_WAKEUP : 0;
	rings->ring_size = xsk->rx.size;
	if (xsk->fill.size > XDPLAB_RING_ENTRIES)
		return;
	show_addresses(&xsk->fill, 0, xsk->fill.size, rings->fill);
	show_descriptors(&xsk->rx, rings->rx_consumer, rings->rx_producer, rings->rx);
}

static void show_transmit(struct path *path, struct xdplab_rings *rings)
{
	const struct xsk *xsk = socket_of(path);

	rings->completion_producer = ring_producer_position(&xsk->completion);
	rings->completion_consumer = xsk->completion.own;
	rings->tx_producer = xsk->tx.own;
	rings->tx_consumer = later(ring_consumer_position(&xsk->tx), rings->completion_producer);
	rings->needs_wakeup |= ring_needs_wakeup(&xsk->tx) ? XDPLAB_TX_NEEDS_WAKEUP : 0;
	if (xsk->fill.size > XDPLAB_RING_ENTRIES)
		return;
	show_descriptors(&xsk->tx, 0, xsk->tx.size, rings->tx);
	show_addresses(&xsk->completion, rings->completion_consumer, rings->completion_producer, rings->completion);
}

static int fault(struct path *path)
{
	return path->port->fault(path);
}

static void close_path(struct path *path)
{
	struct path_xsk *self = self_of(path);

	xsk_sockets_closed(self->sockets, self->xsk.descriptor);
	xsk_close(&self->xsk);
	free(self);
}

static int attached(struct path *path, const struct xdp *xdp, struct xdplab_error *error)
{
	return xdp_enter_socket(xdp, path->entry, path->descriptor, error);
}

static bool is_reached(const struct path *path, const struct xdp *xdp)
{
	return xdp_has_socket(xdp, path->entry, path->descriptor);
}

static const struct path_operations plain_operations = {
	.receive = receive,
	.recycle = recycle,
	.kick = kick,
	.room = room,
	.transmit = transmit,
	.complete = complete,
	.wants_kick = wants_kick,
	.publish_receive = publish_receive,
	.publish_transmit = publish_transmit,
	.show_receive = show_receive,
	.show_transmit = show_transmit,
	.fault = fault,
	.close = close_path,
	.attached = attached,
	.is_reached = is_reached,
};

void path_xsk_begin(struct path_xsk *self, const struct umem *umem, bool multi_buffer)
{
	self->frame_size = umem->frame_size;
	self->operations = plain_operations;
	if (umem->unaligned)
		self->operations.recycle = recycle_unaligned;
	if (umem->unaligned)
		self->operations.receive = multi_buffer ? receive_unaligned_packets : receive_unaligned;
	else if (multi_buffer)
		self->operations.receive = receive_packets;
	self->path = (struct path){
		.operations = &self->operations,
		.port = &port_xsk,
		.area = umem->area,
		.memory = umem->memory,
		.descriptor = self->xsk.descriptor,
		.packet_frames = multi_buffer ? PACKET_FRAMES : 1,
		.huge_pages = umem->huge,
	};
}

static int open_socket(struct path_xsk *self, const struct path_place *place, struct xdplab_error *error)
{
	if (shared_queue_sockets(place) > 1)
		return shared_queue_open(self, place->shared, place, error);
	return xsk_sockets_open(place->shared, place, -1, 1, &self->xsk, error);
}

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	const struct xdplab_config *config = place->config;
	struct xsk_sockets *sockets = place->shared;
	struct path_xsk *self = calloc(1, sizeof(*self));

	if (!self) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a receive path");
		return NULL;
	}
	if (open_socket(self, place, error)) {
		free(self);
		return NULL;
	}
	self->sockets = sockets;
	path_xsk_begin(self, &sockets->umem, config->multi_buffer);
	if (self->shared)
		shared_queue_begin(self);
	self->path.queue = place->worker->queue;
	self->path.entry = place->worker->entry;
	self->path.metadata = config->metadata;
	self->path.zero_copy = xsk_zero_copy(&self->xsk);
	if (self->path.zero_copy)
		self->operations.wants_kick = wants_kick_once;
	return &self->path;
}

const struct path_kind path_xsk = {
	.name = "xsk",
	.counts = XDPLAB_COUNTS_REDIRECTED,
	.programs = &xdp_kernel,
	.share = xsk_sockets_share,
	.unshare = xsk_sockets_unshare,
	.umem = xsk_sockets_umem,
	.open = open_path,
};
