/* SPDX-License-Identifier: Apache-2.0
 *
 * uring: a multishot receive, which copies into buffers of a ring until that is empty.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "receive/tcp_multishot.h"

enum { ENTRIES = 8, BUFFERS = 64, GROUP = 1 };

struct state {
	struct tcp_multishot multishot;
	struct io_uring_buf_ring *offers;
	uint8_t *buffers;
};

static void offer(struct state *self, uint32_t buffer, int place)
{
	io_uring_buf_ring_add(self->offers, self->buffers + (size_t)buffer * TCP_PIECE, TCP_PIECE,
			      (unsigned short)buffer, io_uring_buf_ring_mask(BUFFERS), place);
}

static void free_memory(struct state *self)
{
	if (self->offers != MAP_FAILED)
		munmap(self->offers, BUFFERS * sizeof(struct io_uring_buf));
	free(self->buffers);
}

static int offer_all(struct state *self)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)self->offers,
		.ring_entries = BUFFERS,
		.bgid = GROUP,
	};
	const int result = io_uring_register_buf_ring(&self->multishot.ring, &registration, 0);

	if (result)
		return result;
	io_uring_buf_ring_init(self->offers);
	for (int buffer = 0; buffer < BUFFERS; buffer++)
		offer(self, (uint32_t)buffer, buffer);
	io_uring_buf_ring_advance(self->offers, BUFFERS);
	return 0;
}

static void prepare(struct tcp_receiver *receiver, void *state, struct io_uring_sqe *entry)
{
	(void)state;
	io_uring_prep_recv_multishot(entry, tcp_receiver_socket(receiver), NULL, 0, 0);
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = GROUP;
}

static int take(struct tcp_receiver *receiver, void *state, const struct io_uring_cqe *report)
{
	struct state *self = state;
	const uint32_t buffer = report->flags >> IORING_CQE_BUFFER_SHIFT;
	const int result = tcp_receiver_take(receiver, self->buffers + (size_t)buffer * TCP_PIECE, (uint64_t)report->res);

	offer(self, buffer, 0);
	io_uring_buf_ring_advance(self->offers, 1);
	return result;
}

static int begin(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 2 * BUFFERS,
	};
	int result;

	(void)receiver;
	self->multishot = (struct tcp_multishot){ .no_room = ENOBUFS, .prepare = prepare, .take = take };
	self->buffers = malloc((size_t)BUFFERS * TCP_PIECE);
	self->offers = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!self->buffers || self->offers == MAP_FAILED) {
		free_memory(self);
		return -ENOMEM;
	}
	result = io_uring_queue_init_params(ENTRIES, &self->multishot.ring, &parameters);
	if (!result && (result = offer_all(self)))
		io_uring_queue_exit(&self->multishot.ring);
	if (result)
		free_memory(self);
	return result;
}

static int receive(struct tcp_receiver *receiver, void *state)
{
	return tcp_multishot_receive(&((struct state *)state)->multishot, receiver, state);
}

static void end(void *state)
{
	struct state *self = state;

	io_uring_queue_exit(&self->multishot.ring);
	free_memory(self);
}

const struct tcp_way tcp_uring = {
	.name = "tcp-uring",
	.state_size = sizeof(struct state),
	.begin = begin,
	.receive = receive,
	.end = end,
};
