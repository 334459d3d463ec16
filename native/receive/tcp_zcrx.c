/* SPDX-License-Identifier: Apache-2.0
 *
 * zcrx: io_uring's zero-copy receive without a device (Linux 7.1, io_uring/zcrx.c). With a device, its queue would
 * receive into the area's pages; without, the kernel copies each piece into a page of its choice. The program works on
 * the bytes in place, and gives the page back through the refill ring.
 *
 *     area ── kernel copies into a page ──▶ completion: where ── tcp_receiver_take ──▶ refill ring ── flush ──▶ area
 *
 * Nobody looks into the refill ring without a device until it is told to (ZCRX_CTRL_FLUSH_RQ).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compat.h"
#include "receive/tcp_multishot.h"

/* As many entries as pages, so that neither ring overflows. */
enum { ENTRIES = 8, PAGE = 4096, PAGES = 512, FLUSHED = PAGES / 4 };
#define AREA_BYTES ((size_t)PAGES * PAGE)
/* The kernel takes whole pages of its own, of at most 64 KiB. The ring's header, whose size only it knows, takes a few
 * bytes. */
#define REFILL_BYTES ((size_t)64 * 1024)
static_assert(PAGES * sizeof(struct xdplab_zcrx_refill) <= REFILL_BYTES / 2, "there is room for the header");

struct state {
	struct tcp_multishot multishot;
	uint8_t *area;
	uint8_t *refill;
	struct xdplab_zcrx_registration registration;
	uint64_t token; /* of the area, in a refill entry */
	uint32_t given; /* pages put into the refill ring */
	uint32_t flushed; /* of them */
};

static int registers(const struct state *self, unsigned int operation, void *argument, unsigned int count)
{
	return syscall(SYS_io_uring_register, self->multishot.ring.ring_fd, operation, argument, count) < 0 ? -errno : 0;
}

static int register_area(struct state *self)
{
	struct xdplab_uring_region refill = {
		.user_addr = (uint64_t)(uintptr_t)self->refill,
		.size = REFILL_BYTES,
		.flags = XDPLAB_IORING_MEM_REGION_TYPE_USER,
	};
	struct xdplab_zcrx_area area = { .addr = (uint64_t)(uintptr_t)self->area, .len = AREA_BYTES };
	int result;

	self->registration = (struct xdplab_zcrx_registration){
		.rq_entries = PAGES,
		.flags = XDPLAB_ZCRX_REG_NODEV,
		.area_ptr = (uint64_t)(uintptr_t)&area,
		.region_ptr = (uint64_t)(uintptr_t)&refill,
	};
	result = registers(self, XDPLAB_IORING_REGISTER_ZCRX_IFQ, &self->registration, 1);
	self->token = area.rq_area_token;
	return result;
}

static uint8_t *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void free_memory(struct state *self)
{
	if (self->area != MAP_FAILED)
		munmap(self->area, AREA_BYTES);
	if (self->refill != MAP_FAILED)
		munmap(self->refill, REFILL_BYTES);
}

static void prepare(struct tcp_receiver *receiver, void *state, struct io_uring_sqe *entry)
{
	io_uring_prep_rw(XDPLAB_IORING_OP_RECV_ZC, entry, tcp_receiver_socket(receiver), NULL, 0, 0);
	entry->file_index = ((struct state *)state)->registration.zcrx_id;
	entry->ioprio |= IORING_RECV_MULTISHOT;
}

static void give_back(struct state *self, uint64_t offset, uint32_t length)
{
	struct xdplab_zcrx_refill *entries = (void *)(self->refill + self->registration.offsets.rqes);

	entries[self->given++ % PAGES] = (struct xdplab_zcrx_refill){ .off = offset | self->token, .len = length };
}

static int take(struct tcp_receiver *receiver, void *state, const struct io_uring_cqe *report)
{
	struct state *self = state;
	struct xdplab_zcrx_report where; /* the second half of a report of 32 bytes */
	uint64_t offset;
	int result;

	memcpy(&where, report + 1, sizeof(where));
	offset = where.off & XDPLAB_ZCRX_OFFSET_MASK;
	result = tcp_receiver_take(receiver, self->area + offset, (uint64_t)report->res);
	give_back(self, offset, (uint32_t)report->res);
	return result;
}

static int begin(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQE32 |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 2 * PAGES,
	};
	int result = -ENOMEM;

	(void)receiver;
	self->multishot = (struct tcp_multishot){ .no_room = ENOMEM, .prepare = prepare, .take = take };
	self->area = map(AREA_BYTES);
	self->refill = map(REFILL_BYTES);
	if (self->area != MAP_FAILED && self->refill != MAP_FAILED)
		result = io_uring_queue_init_params(ENTRIES, &self->multishot.ring, &parameters);
	if (!result && (result = register_area(self)))
		io_uring_queue_exit(&self->multishot.ring);
	if (result)
		free_memory(self);
	return result;
}

static int flush(struct tcp_receiver *receiver, struct state *self)
{
	unsigned int *tail = (void *)(self->refill + self->registration.offsets.tail);
	struct xdplab_zcrx_control control = {
		.zcrx_id = self->registration.zcrx_id,
		.op = XDPLAB_ZCRX_CTRL_FLUSH_RQ,
	};

	io_uring_smp_store_release(tail, self->given);
	self->flushed = self->given;
	tcp_receiver_called(receiver, 1);
	return registers(self, XDPLAB_IORING_REGISTER_ZCRX_CTRL, &control, 0);
}

static int receive(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	const int result = tcp_multishot_receive(&self->multishot, receiver, self);

	if (!result && (self->given - self->flushed >= FLUSHED || !self->multishot.armed))
		return flush(receiver, self);
	return result;
}

static void end(void *state)
{
	struct state *self = state;

	io_uring_queue_exit(&self->multishot.ring);
	free_memory(self);
}

const struct tcp_way tcp_zcrx = {
	.name = "tcp-zcrx",
	.state_size = sizeof(struct state),
	.begin = begin,
	.receive = receive,
	.end = end,
};
