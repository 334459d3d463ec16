/* SPDX-License-Identifier: Apache-2.0
 *
 * From the TX ring to the wire, as in the kernel's copy mode (__xsk_generic_xmit, Linux 6.18), but without its limit of
 * frames per kick.
 */
#include "soft/transmit.h"

#include <linux/if_ether.h>

#include "base/compat.h"
#include "soft/deliver.h"

enum { VLAN_BYTES = 4 };

struct batch {
	struct soft_frame frames[SOFT_BATCH];
	uint32_t count;
	uint64_t invalid;
	uint64_t too_long;
};

/* xp_aligned_validate_desc and xp_unaligned_validate_desc. Our sockets are not
 * opened for several frames per packet or metadata. */
static bool is_valid(const struct soft_socket *socket, const struct xdp_desc *descriptor)
{
	uint64_t address = descriptor->addr;

	if (!descriptor->len || descriptor->len > socket->frame_size || descriptor->options)
		return false;
	if (!socket->unaligned)
		return (address & (socket->frame_size - 1)) + descriptor->len <= socket->frame_size &&
		       address < socket->area_size;
	address = (address & XSK_UNALIGNED_BUF_ADDR_MASK) + (address >> XSK_UNALIGNED_BUF_OFFSET_SHIFT);
	return address < socket->area_size && descriptor->len <= socket->area_size - address;
}

static const uint8_t *place_of(const struct soft_socket *socket, uint64_t address)
{
	if (socket->unaligned)
		address = (address & XSK_UNALIGNED_BUF_ADDR_MASK) + (address >> XSK_UNALIGNED_BUF_OFFSET_SHIFT);
	return socket->area + address;
}

static bool strikes(struct soft_socket *socket)
{
	struct soft_faults *faults = &socket->wire->ends[socket->end].faults;

	return faults->set.bad_descriptor_every && ++faults->sent % faults->set.bad_descriptor_every == 0;
}

static void take(struct soft_socket *socket, const struct xdp_desc *descriptor, struct batch *batch)
{
	socket->stopped = true;
	if (!is_valid(socket, descriptor) || strikes(socket)) {
		batch->invalid++;
		return;
	}
	/* The kernel completes frames that the device then drops. */
	if (descriptor->len < ETH_HLEN || descriptor->len > socket->wire->config.mtu + ETH_HLEN + VLAN_BYTES) {
		batch->too_long++;
		return;
	}
	socket->stopped = false;
	batch->frames[batch->count] = (struct soft_frame){
		.head = place_of(socket, descriptor->addr),
		.head_length = descriptor->len,
		.length = descriptor->len,
	};
	/* The frame is in the cache of the worker that wrote it. */
	__builtin_prefetch(batch->frames[batch->count++].head);
}

/* Frames to take: only as many as the completion ring has room for. */
static uint32_t takeable(struct soft_socket *socket)
{
	uint32_t count = ring_waiting(&socket->tx), room;

	if (count > SOFT_BATCH)
		count = SOFT_BATCH;
	room = count ? ring_free(&socket->completion, count) : 0;
	return room < count ? room : count;
}

bool soft_has_to_transmit(struct soft_socket *socket)
{
	return takeable(socket);
}

/* The kernel counts that it found the ring empty at the end of each kick that sent all there was. But an invalid
 * descriptor ends a kick before that, and so does a frame that the device drops. */
static void count_empty(struct soft_socket *socket, bool sent)
{
	bool kicked = false;

	if (atomic_load_explicit(&socket->kicked, memory_order_relaxed))
		kicked = atomic_exchange_explicit(&socket->kicked, 0, memory_order_relaxed);
	if ((sent ? !socket->stopped : kicked) && !ring_waiting(&socket->tx))
		soft_add(&socket->tx_ring_empty, 1);
}

bool soft_transmit(struct soft_socket *socket)
{
	struct xdplab_wire *wire = socket->wire;
	const uint32_t count = takeable(socket);
	struct batch batch;

	if (count) {
		batch.count = 0;
		batch.invalid = batch.too_long = 0;
		for (uint32_t i = 0; i < count; i++) {
			const struct xdp_desc *descriptor = ring_descriptor(&socket->tx, socket->tx.own + i);

			take(socket, descriptor, &batch);
			/* Invalid ones, too. They are published when all are sent. */
			*ring_address(&socket->completion, socket->completion.own + i) = descriptor->addr;
		}
		if (batch.count)
			soft_arrive(wire, !socket->end, socket->queue, batch.frames, batch.count);
		soft_add(&wire->ends[socket->end].tx_dropped, batch.too_long);
		soft_add(&socket->tx_invalid, batch.invalid);
		ring_release(&socket->tx, count);
		ring_submit(&socket->completion, count);
	}
	count_empty(socket, count);
	return count;
}
