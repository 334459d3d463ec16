/* SPDX-License-Identifier: Apache-2.0
 *
 * From the wire to the RX ring. It drops frames for the same reasons as the kernel, in the same order and with the same
 * counters (veth_xdp_rcv_one, xsk_rcv, xp_alloc, Linux 6.18).
 */
#include "soft/deliver.h"

#include <linux/if_xdp.h>
#include <string.h>

#include "base/housekeeping.h"
#include "base/packet_filter.h"
#include "include/program_maps.h"
#include "soft/delay.h"
#include "soft/socket.h"
#include "soft/stack.h"

/* Memory is prefetched this many frames ahead. */
enum { AHEAD = 8 };

/* Bytes at the beginning of a packet of which the parts are joined for its match. */
enum { FILTERED = 256 };

/* The results of a batch. */
struct tally {
	uint64_t redirected; /* delivered, or refused by the socket */
	uint64_t delivered;
	uint64_t dropped;
	uint64_t fill_ring_empty;
	uint64_t ring_full;
};

/* Takes the next valid address from the fill ring; false if there is none. It skips invalid ones, which no statistic of
 * the kernel shows. */
static bool take_address(struct soft_socket *socket, uint64_t *address)
{
	struct ring *fill = &socket->fill;

	if (socket->has_spare) {
		socket->has_spare = false;
		*address = socket->spare;
		return true;
	}
	while (ring_waiting(fill)) {
		/* Only `own`: the entries are released once for the whole batch. */
		*address = *ring_address(fill, fill->own++);
		if (socket->unaligned) {
			*address &= XSK_UNALIGNED_BUF_ADDR_MASK;
			if (*address < socket->area_size && socket->area_size - *address >= socket->frame_size)
				return true;
		} else {
			*address &= ~(uint64_t)(socket->frame_size - 1);
			if (*address < socket->area_size)
				return true;
		}
	}
	return false;
}

static bool strikes(uint64_t every, uint64_t number)
{
	return every && number % every == 0;
}

static void copy_frame(uint8_t *place, const struct soft_frame *frame)
{
	/* A constant for the compiler: the most frequent length. */
	if (frame->head_length == SOFT_HEAD)
		memcpy(place, frame->head, SOFT_HEAD);
	else
		memcpy(place, frame->head, frame->head_length);
	if (frame->length > frame->head_length)
		memcpy(place + frame->head_length, frame->tail, frame->length - frame->head_length);
}

/* The same as bpf/capture_metadata.bpf.c on a veth, which has neither hash nor time. */
static void write_metadata(uint8_t *place, uint64_t now_ns)
{
	const struct frame_metadata metadata = {
		.time_ns = now_ns,
		.flags = METADATA_PROGRAM_TIME,
		.magic = METADATA_MAGIC,
	};

	memcpy(place - sizeof(metadata), &metadata, sizeof(metadata));
}

static void ask_for_memory(const struct soft_socket *socket, uint32_t ahead)
{
	const struct ring *fill = &socket->fill;

	if (fill->other - fill->own > ahead) {
		const uint64_t address = *ring_address(fill, fill->own + ahead);

		/* The address may be invalid: a prefetch never faults. */
		__builtin_prefetch((const void *)((uintptr_t)socket->area + address + socket->headroom), 1);
	}
}

static void receive(struct soft_socket *socket, const struct soft_frame *frame, uint32_t room, struct tally *tally)
{
	struct soft_faults *faults = &socket->wire->ends[socket->end].faults;
	const uint64_t number = ++faults->arrived;
	struct xdp_desc *descriptor;
	uint64_t address;

	if (frame->length > socket->largest) {
		tally->dropped++;
		return;
	}
	if (strikes(faults->set.no_fill_every, number) || !take_address(socket, &address)) {
		tally->dropped++;
		tally->fill_ring_empty++;
		return;
	}
	if (tally->delivered == room || strikes(faults->set.ring_full_every, number)) {
		tally->ring_full++;
		socket->spare = address;
		socket->has_spare = true;
		return;
	}
	copy_frame(socket->area + address + socket->headroom, frame);
	if (socket->metadata)
		write_metadata(socket->area + address + socket->headroom, socket->wire->now_ns - socket->wire->clock_offset_ns);
	descriptor = ring_descriptor(&socket->rx, socket->rx.own + tally->delivered);
	descriptor->addr = socket->unaligned ?
				   address | (uint64_t)socket->headroom << XSK_UNALIGNED_BUF_OFFSET_SHIFT :
				   address + socket->headroom;
	descriptor->len = frame->length;
	descriptor->options = 0;
	tally->delivered++;
}

static void finish(struct soft_socket *socket, const struct tally *tally)
{
	soft_add(&socket->rx_dropped, tally->dropped);
	soft_add(&socket->fill_ring_empty, tally->fill_ring_empty);
	soft_add(&socket->rx_ring_full, tally->ring_full);
	if (!tally->delivered)
		return;
	if (socket->wire->alone && ring_free(&socket->rx, socket->rx.size) < socket->rx.size / 2 + tally->delivered)
		socket->wire->crowded = true;
	/* The fill ring first, since no frame may be in both. Like the kernel, it does not publish its position in the
	 * fill ring before a frame is delivered. */
	ring_release(&socket->fill, 0);
	ring_submit(&socket->rx, (uint32_t)tally->delivered);
	soft_signal(socket);
}

/* Whether the engine wants a packet. */
static bool matches(const struct soft_program *program, const struct soft_frame *frame)
{
	uint8_t bytes[FILTERED];
	uint32_t more;

	if (!program->match || !frame->tail || frame->head_length >= FILTERED)
		return !program->match ||
		       packet_filter_passes(program->match, frame->head, frame->head_length, frame->length);
	more = frame->length - frame->head_length;
	if (more > FILTERED - frame->head_length)
		more = FILTERED - frame->head_length;
	memcpy(bytes, frame->head, frame->head_length);
	memcpy(bytes + frame->head_length, frame->tail, more);
	return packet_filter_passes(program->match, bytes, frame->head_length + more, frame->length);
}

/* Applies the program's verdicts to a batch; passes the others to the stack. */
static struct tally run_program(struct xdplab_wire *wire, struct soft_program *program, uint32_t queue,
				const struct soft_frame *frames, uint32_t count)
{
	struct soft_socket *socket = queue < program->queues ? program->sockets[queue] : NULL;
	const uint32_t room = socket ? ring_free(&socket->rx, count) : 0;
	uint64_t passed = 0, no_socket = 0, unmatched = 0;
	struct tally tally = { 0 };

	if (socket)
		ring_waiting(&socket->fill);
	for (uint32_t i = 0; socket && i < AHEAD; i++)
		ask_for_memory(socket, i);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *head = frames[i].head;

		if (!matches(program, frames + i)) {
			unmatched++;
			soft_stack_receive(wire, program->end, frames + i);
		} else if (!program->takes_all && belongs_to_stack(head, head + frames[i].head_length)) {
			passed++;
			soft_stack_receive(wire, program->end, frames + i);
		} else if (!socket) {
			no_socket++;
			soft_stack_receive(wire, program->end, frames + i);
		} else {
			tally.redirected++;
			ask_for_memory(socket, AHEAD);
			receive(socket, frames + i, room, &tally);
		}
	}
	soft_add(&program->passed, passed);
	soft_add(&program->no_socket, no_socket);
	soft_add(&program->unmatched, unmatched);
	soft_add(&program->redirected, tally.redirected);
	if (socket)
		finish(socket, &tally);
	return tally;
}

void soft_deliver(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		  uint32_t count)
{
	struct soft_end *self = wire->ends + end;
	struct soft_queue *counts = self->queues + queue;
	struct tally tally;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += frames[i].length;
	soft_add(&counts->packets, count);
	soft_add(&counts->bytes, bytes);
	if (!self->program) {
		for (uint32_t i = 0; i < count; i++)
			soft_stack_receive(wire, end, frames + i);
		return;
	}
	tally = run_program(wire, self->program, queue, frames, count);
	soft_add(&counts->redirect, tally.delivered);
	soft_add(&counts->drops, tally.redirected - tally.delivered);
}

void soft_arrive(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		 uint32_t count)
{
	if (wire->ends[end].delay)
		soft_delay_put(wire, end, queue, frames, count);
	else
		soft_deliver(wire, end, queue, frames, count);
}
