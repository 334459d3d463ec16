/* SPDX-License-Identifier: Apache-2.0 */
#include "soft/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

/* The kernel's layout of a ring: each end's counter, and the flags, on a cache line of its own. */
struct ring_memory {
	_Alignas(XDPLAB_CACHE_LINE) _Atomic uint32_t producer;
	_Alignas(XDPLAB_CACHE_LINE) _Atomic uint32_t consumer;
	_Alignas(XDPLAB_CACHE_LINE) _Atomic uint32_t flags;
	_Alignas(XDPLAB_CACHE_LINE) char entries[];
};

static uint64_t bytes_of(uint32_t size, size_t entry)
{
	const uint64_t bytes = sizeof(struct ring_memory) + size * entry;

	return (bytes + XDPLAB_CACHE_LINE - 1) / XDPLAB_CACHE_LINE * XDPLAB_CACHE_LINE;
}

/* Places the next ring in the memory, for the wire's side and for the worker's. */
static void cut_ring(char **memory, struct ring *wire, struct ring *worker, uint32_t size, size_t entry)
{
	struct ring_memory *ring = (struct ring_memory *)*memory;

	*worker = *wire = (struct ring){
		.producer = &ring->producer,
		.consumer = &ring->consumer,
		.flags = &ring->flags,
		.entries = ring->entries,
		.size = size,
		.mask = size - 1,
	};
	*memory += bytes_of(size, entry);
}

static int make_rings(struct soft_socket *socket, const struct soft_socket_options *options, struct xsk *xsk)
{
	const size_t address = sizeof(uint64_t), descriptor = sizeof(struct xdp_desc);
	const uint32_t size = options->ring_size, fill_size = options->fill_ring_size;
	const uint64_t bytes = bytes_of(fill_size, address) + bytes_of(size, address) + 2 * bytes_of(size, descriptor);
	char *next = aligned_alloc(XDPLAB_CACHE_LINE, bytes);

	socket->memory = next;
	if (!next)
		return -ENOMEM;
	memset(next, 0, bytes);
	cut_ring(&next, &socket->fill, &xsk->fill, fill_size, address);
	cut_ring(&next, &socket->completion, &xsk->completion, size, address);
	cut_ring(&next, &socket->rx, &xsk->rx, size, descriptor);
	cut_ring(&next, &socket->tx, &xsk->tx, size, descriptor);
	return 0;
}

struct binding {
	struct soft_socket *socket;
	int result;
};

static void bind_queue(struct xdplab_wire *wire, void *argument)
{
	struct binding *binding = argument;
	struct soft_socket *socket = binding->socket;
	struct soft_queue *queue = wire->ends[socket->end].queues + socket->queue;

	if (soft_is_cut(wire))
		binding->result = ENODEV;
	else if (queue->socket)
		binding->result = EBUSY;
	else
		queue->socket = socket;
}

/* The same errors as the kernel's for a veth. */
static int bind_socket(struct soft_socket *socket, uint32_t bind_mode, struct xdplab_error *error)
{
	struct binding binding = { .socket = socket };

	if (socket->queue >= socket->wire->config.queues)
		binding.result = EINVAL;
	else if (bind_mode == XDPLAB_BIND_ZERO_COPY)
		binding.result = EOPNOTSUPP;
	else
		soft_call(socket->wire, bind_queue, &binding);
	if (!binding.result)
		return 0;
	return fail(error, XDPLAB_STEP_BIND, binding.result, "bind a simulated AF_XDP socket to queue %u",
		    socket->queue);
}

static void free_socket(struct soft_socket *socket)
{
	if (socket->readiness >= 0)
		close(socket->readiness);
	free(socket->memory);
	free(socket);
}

struct soft_socket *soft_socket_open(const struct soft_socket_options *options, const struct umem *umem,
				     struct xsk *xsk, struct xdplab_error *error)
{
	struct soft_socket *socket = aligned_alloc(XDPLAB_CACHE_LINE, sizeof(*socket));

	if (!socket) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a simulated AF_XDP socket");
		return NULL;
	}
	memset(socket, 0, sizeof(*socket));
	socket->wire = options->wire;
	socket->end = options->end;
	socket->queue = options->queue;
	socket->area = umem->area;
	socket->area_size = (uint64_t)umem->frame_size * umem->frame_count;
	socket->frame_size = umem->frame_size;
	socket->headroom = SOFT_XDP_HEADROOM + umem->headroom;
	socket->largest = umem->frame_size - socket->headroom;
	socket->unaligned = umem->unaligned;
	socket->metadata = options->metadata;
	socket->readiness = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (socket->readiness < 0 || make_rings(socket, options, xsk)) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open a simulated AF_XDP socket");
		free_socket(socket);
		return NULL;
	}
	atomic_store_explicit(socket->tx.flags, XDP_RING_NEED_WAKEUP, memory_order_relaxed);
	for (uint32_t i = 0; i < options->fill_frames; i++)
		*ring_address(&xsk->fill, i) = (uint64_t)(options->first_frame + i) * umem->frame_size;
	ring_submit(&xsk->fill, options->fill_frames);
	if (bind_socket(socket, options->bind_mode, error)) {
		free_socket(socket);
		return NULL;
	}
	return socket;
}

static void leave(struct xdplab_wire *wire, void *argument)
{
	const struct soft_socket *socket = argument;
	struct soft_end *end = wire->ends + socket->end;

	end->queues[socket->queue].socket = NULL;
	if (end->program && socket->queue < end->program->queues && end->program->sockets[socket->queue] == socket)
		end->program->sockets[socket->queue] = NULL;
}

void soft_socket_close(struct soft_socket *socket)
{
	soft_call(socket->wire, leave, socket);
	free_socket(socket);
}

static void enter(struct xdplab_wire *wire, void *argument)
{
	struct soft_socket *socket = argument;
	struct soft_program *program = wire->ends[socket->end].program;

	if (program && socket->queue < program->queues)
		program->sockets[socket->queue] = socket;
}

void soft_socket_enter(struct soft_socket *socket)
{
	soft_call(socket->wire, enter, socket);
}

/* Called on the wire's thread. Acquire and release: ordered with the worker's clearing. */
void soft_signal(struct soft_socket *socket)
{
	if (!atomic_exchange_explicit(&socket->signalled, 1, memory_order_acq_rel))
		eventfd_write(socket->readiness, 1);
}

bool soft_socket_clear(struct soft_socket *socket, struct ring *rx)
{
	eventfd_t signals;

	eventfd_read(socket->readiness, &signals);
	atomic_exchange_explicit(&socket->signalled, 0, memory_order_acq_rel);
	return !ring_waiting_now(rx);
}

void soft_socket_kicks(struct soft_socket *socket)
{
	/* Relaxed: the bell orders it. */
	atomic_store_explicit(&socket->kicked, 1, memory_order_relaxed);
	/* The thread takes a while to wake, and one kick is enough. Acquire and release, as everywhere for this flag. */
	atomic_fetch_and_explicit(socket->tx.flags, ~(uint32_t)XDP_RING_NEED_WAKEUP, memory_order_acq_rel);
}

void soft_socket_statistics(const struct soft_socket *socket, struct xdp_statistics *statistics)
{
	*statistics = (struct xdp_statistics){
		.rx_dropped = soft_read(&socket->rx_dropped),
		.tx_invalid_descs = soft_read(&socket->tx_invalid),
		.rx_ring_full = soft_read(&socket->rx_ring_full),
		.rx_fill_ring_empty_descs = soft_read(&socket->fill_ring_empty),
		.tx_ring_empty_descs = soft_read(&socket->tx_ring_empty),
	};
}
