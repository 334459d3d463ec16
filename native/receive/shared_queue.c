/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/shared_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"
#include "receive/path_xsk.h"
#include "xsk/xsk_sockets.h"

enum { MOST_SOCKETS = XDPLAB_QUEUE_SOCKETS, SORTED_AT_ONCE = 64 };

/* Frames that came back to one of the sockets. */
struct returned {
	struct ring ring; /* the end of whoever holds the lock */
	_Atomic uint32_t producer, consumer, flags;
	_Atomic uint32_t none; /* both counters of its own fill ring, which stays empty */
	uint64_t entries[];    /* of this ring, and those of the empty one */
};

struct shared_queue {
	struct shared_queue *next;
	struct xsk_sockets *sockets;
	uint32_t port, queue;
	int first; /* the socket that was opened first, whose fill and completion ring they are */
	uint32_t opened, open;
	pthread_mutex_t lock;
	struct path_xsk rings; /* no socket: these two rings, and the operations of a path that has them alone */
	struct returned *returned[MOST_SOCKETS];
	_Atomic uint8_t senders[]; /* of each frame of the UMEM: the socket that it was sent by */
};

static struct path_xsk *self_of(struct path *path)
{
	return (struct path_xsk *)path;
}

static const struct path_operations *plain(const struct shared_queue *queue)
{
	return &queue->rings.operations;
}

uint32_t shared_queue_sockets(const struct path_place *place)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < place->config->worker_count; i++)
		count += place->config->workers[i].port == place->worker->port &&
			 place->config->workers[i].queue == place->worker->queue;
	return count;
}

static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct shared_queue *queue = self_of(path)->shared;

	if (!count)
		return;
	pthread_mutex_lock(&queue->lock);
	plain(queue)->recycle(&queue->rings.path, frames, count);
	pthread_mutex_unlock(&queue->lock);
}

/* Relaxed: the kernel's answer, and the lock, stand between this and the look at it. */
static void transmit(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct shared_queue *queue = self_of(path)->shared;

	for (uint32_t i = 0; i < count; i++)
		atomic_store_explicit(queue->senders + frames[i].addr / queue->rings.frame_size,
				      (uint8_t)self_of(path)->member, memory_order_relaxed);
	plain(queue)->transmit(path, frames, count);
}

/* Gives the frames in the completion ring to their senders, each of which has room for a TX ring of them. */
static void sort_completed(struct shared_queue *queue)
{
	struct xdp_desc frames[SORTED_AT_ONCE];
	uint32_t count;

	pthread_mutex_lock(&queue->lock);
	while ((count = plain(queue)->complete(&queue->rings.path, frames, SORTED_AT_ONCE)))
		for (uint32_t i = 0; i < count; i++) {
			const uint8_t sender = atomic_load_explicit(
				queue->senders + frames[i].addr / queue->rings.frame_size, memory_order_relaxed);
			struct ring *ring = &queue->returned[sender]->ring;

			*ring_address(ring, ring->own) = frames[i].addr;
			ring_submit(ring, 1);
		}
	pthread_mutex_unlock(&queue->lock);
}

static uint32_t complete(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct shared_queue *queue = self_of(path)->shared;
	const struct ring *ring = &queue->rings.xsk.completion;

	/* Only a look, without the lock: what it misses is there at the next turn. */
	if (atomic_load_explicit(ring->producer, memory_order_relaxed) !=
	    atomic_load_explicit(ring->consumer, memory_order_relaxed))
		sort_completed(queue);
	return plain(queue)->complete(path, frames, limit);
}

/* The queue's fill ring, and how often it was empty, are in the record of the first socket alone. */
static void publish_receive(struct path *path, const struct xdplab_counters *base,
			    struct xdplab_counters *counters)
{
	struct shared_queue *queue = self_of(path)->shared;

	plain(queue)->publish_receive(path, base, counters);
	if (self_of(path)->member) {
		counters->rx_fill_ring_empty_descs = base->rx_fill_ring_empty_descs;
		return;
	}
	pthread_mutex_lock(&queue->lock);
	counters->fill_producer = base->fill_producer + queue->rings.xsk.fill.own;
	counters->fill_consumer = base->fill_consumer + ring_consumer_position(&queue->rings.xsk.fill);
	pthread_mutex_unlock(&queue->lock);
}

/* The fill ring is shown empty: its entries are in no order of this socket's. */
static void show_receive(struct path *path, struct xdplab_rings *rings)
{
	plain(self_of(path)->shared)->show_receive(path, rings);
	rings->fill_producer = rings->fill_consumer = 0;
}

static void free_queue(struct shared_queue *queue)
{
	struct ring *rings[] = { &queue->rings.xsk.fill, &queue->rings.xsk.completion };
	struct shared_queue **place = &queue->sockets->shared_queues;

	while (*place != queue)
		place = &(*place)->next;
	*place = queue->next;
	for (size_t i = 0; i < sizeof(rings) / sizeof(*rings); i++)
		if (rings[i]->mapping)
			munmap(rings[i]->mapping, rings[i]->mapping_size);
	for (uint32_t i = 0; i < queue->opened; i++)
		free(queue->returned[i]);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static void leave(struct shared_queue *queue)
{
	if (!--queue->open)
		free_queue(queue);
}

static void close_path(struct path *path)
{
	struct shared_queue *queue = self_of(path)->shared;

	plain(queue)->close(path);
	leave(queue);
}

static struct shared_queue *make_queue(struct xsk_sockets *sockets, const struct path_place *place)
{
	struct shared_queue *queue = calloc(1, sizeof(*queue) + sockets->umem.frame_count);
	pthread_mutexattr_t attributes;

	if (!queue)
		return NULL;
	queue->sockets = sockets;
	queue->port = place->worker->port;
	queue->queue = place->worker->queue;
	queue->first = -1;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&queue->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	queue->next = sockets->shared_queues;
	sockets->shared_queues = queue;
	return queue;
}

static struct shared_queue *queue_at(struct xsk_sockets *sockets, const struct path_place *place)
{
	struct shared_queue *queue = sockets->shared_queues;

	while (queue && (queue->port != place->worker->port || queue->queue != place->worker->queue))
		queue = queue->next;
	return queue ? queue : make_queue(sockets, place);
}

static struct returned *make_returned(uint32_t ring_size)
{
	struct returned *made = calloc(1, sizeof(*made) + 3 * (size_t)ring_size * sizeof(uint64_t));

	if (made)
		made->ring = (struct ring){
			.producer = &made->producer,
			.consumer = &made->consumer,
			.flags = &made->flags,
			.entries = made->entries,
			.size = ring_size,
			.mask = ring_size - 1,
		};
	return made;
}

/* Takes the rings of the socket that was opened first, and gives each socket those that it has for itself. */
static void lead_rings(struct shared_queue *queue, struct path_xsk *path, struct returned *returned)
{
	const uint32_t ring_size = returned->ring.size;

	if (queue->first < 0) {
		queue->first = path->xsk.descriptor;
		queue->rings.xsk.fill = path->xsk.fill;
		queue->rings.xsk.completion = path->xsk.completion;
	}
	path->xsk.completion = returned->ring;
	path->xsk.fill = (struct ring){
		.producer = &returned->none,
		.consumer = &returned->none,
		.flags = queue->rings.xsk.fill.flags,
		.entries = returned->entries + ring_size,
		.size = 2 * ring_size,
		.mask = 2 * ring_size - 1,
	};
}

int shared_queue_open(struct path_xsk *path, struct xsk_sockets *sockets, const struct path_place *place,
		      struct xdplab_error *error)
{
	const struct xdplab_config *config = place->config;
	struct shared_queue *queue = queue_at(sockets, place);
	struct returned *returned = make_returned(config->ring_size);

	if (!queue || !returned || queue->opened == MOST_SOCKETS) {
		free(returned);
		if (queue && !queue->open)
			free_queue(queue);
		return fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate what sockets of a queue share");
	}
	queue->open++;
	if (xsk_sockets_open(sockets, place, queue->first, shared_queue_sockets(place), &path->xsk, error)) {
		free(returned);
		leave(queue);
		return -error->code;
	}
	path->shared = queue;
	path->member = queue->opened;
	queue->returned[queue->opened++] = returned;
	lead_rings(queue, path, returned);
	if (path->member)
		xsk_fill(&queue->rings.xsk.fill, &sockets->umem, xsk_first_frame(place), umem_received_frames(config));
	return 0;
}

void shared_queue_begin(struct path_xsk *path)
{
	struct shared_queue *queue = path->shared;

	if (!path->member) {
		queue->rings.operations = path->operations;
		queue->rings.path.operations = &queue->rings.operations;
		queue->rings.frame_size = path->frame_size;
	}
	path->operations.recycle = recycle;
	path->operations.transmit = transmit;
	path->operations.complete = complete;
	path->operations.publish_receive = publish_receive;
	path->operations.show_receive = show_receive;
	path->operations.close = close_path;
}
