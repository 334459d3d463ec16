/* SPDX-License-Identifier: Apache-2.0
 *
 * udp-uring: a multishot receive of io_uring, which puts each datagram into a buffer from a buffer ring, until that is
 * empty. The worker sleeps in io_uring_enter.
 *
 *     slot ── recycle ──▶ buffer ring ── kernel fills ──▶ completion ── wait ──▶ fetched ── receive ──▶ worker
 */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "receive/socket_path.h"
#include "shared/worker.h"
#include "wait/uring.h"
#include "xdp/xdp.h"

#define REOPEN_RETRY_NS (1000 * 1000 * 1000ull)
#define REOPEN_PAUSE_NS (5 * 1000 * 1000)

enum { ENTRIES = 8, BUFFER_GROUP = 1 };
enum { RECEIVE_REPORT = 1, CANCEL_REPORT = 2 };
static_assert((SOCKET_SLOTS & (SOCKET_SLOTS - 1)) == 0, "as many buffers as a ring has entries");

struct path_udp_uring {
	struct socket_path socket;
	struct io_uring ring; /* exists from begin to end; used by the worker's thread */
	struct io_uring_buf_ring *buffers;
	bool armed;
	bool was_armed;
	bool busy[SOCKET_SLOTS]; /* slots that wait to be handed out, so not in the buffer ring */
};

static struct path_udp_uring *self_of(struct path *path)
{
	return (struct path_udp_uring *)path;
}

static void offer(struct path_udp_uring *self, uint32_t slot, uint32_t place)
{
	io_uring_buf_ring_add(self->buffers, socket_path_slot(&self->socket, slot), SOCKET_SLOT_SIZE,
			      (unsigned short)slot, io_uring_buf_ring_mask(SOCKET_SLOTS), (int)place);
}

static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct path_udp_uring *self = self_of(path);
	uint32_t offered = 0;

	for (uint32_t i = 0; i < count; i++) {
		const uint32_t slot = (uint32_t)(frames[i].addr / SOCKET_SLOT_SIZE);

		if (slot == SOCKET_SLOTS)
			continue;
		self->busy[slot] = false;
		offer(self, slot, offered++);
	}
	io_uring_buf_ring_advance(self->buffers, (int)offered);
}

/* Takes in the kernel's reports. Returns which kinds were among them. */
static unsigned int take_reports(struct path_udp_uring *self, struct worker *worker)
{
	struct io_uring_cqe *report;
	unsigned int head, count = 0, kinds = 0;

	io_uring_for_each_cqe(&self->ring, head, report) {
		count++;
		kinds |= (unsigned int)report->user_data;
		if (report->user_data != RECEIVE_REPORT)
			continue;
		if (!(report->flags & IORING_CQE_F_MORE))
			self->armed = false;
		if (report->flags & IORING_CQE_F_BUFFER) {
			const uint32_t slot = report->flags >> IORING_CQE_BUFFER_SHIFT;

			self->busy[slot] = true;
			socket_path_fetched(&self->socket, slot, (uint32_t)report->res);
		} else if (report->res == 0) {
			/* A datagram without a byte takes no buffer, and ends the receive. */
			socket_path_fetched(&self->socket, SOCKET_SLOTS, 0);
		} else if (worker && report->res != -ENOBUFS && report->res != -ECANCELED) {
			/* ENOBUFS: every slot was full, and the next receive goes on once they are handed out. */
			worker->counters.fault = (uint64_t)-report->res;
		}
	}
	io_uring_cq_advance(&self->ring, count);
	return kinds;
}

static void arm(struct path_udp_uring *self, struct worker *worker)
{
	struct io_uring_sqe *entry;

	if (self->armed)
		return;
	entry = io_uring_get_sqe(&self->ring);
	/* With MSG_TRUNC the result is the datagram's whole length, even if it is longer than a slot. */
	io_uring_prep_recv_multishot(entry, self->socket.path.descriptor, NULL, 0, MSG_TRUNC);
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = BUFFER_GROUP;
	io_uring_sqe_set_data64(entry, RECEIVE_REPORT);
	worker->counters.rearms += self->was_armed;
	self->armed = self->was_armed = true;
}

static bool wait(struct path *path, struct worker *worker, uint64_t timeout_ns)
{
	struct path_udp_uring *self = self_of(path);
	struct __kernel_timespec timeout = uring_timespec(timeout_ns);
	struct io_uring_cqe *report;
	int result;

	if (socket_path_has_some(&self->socket))
		return false;
	socket_path_begin_fetch(&self->socket);
	arm(self, worker);
	worker->counters.syscalls[XDPLAB_SYSCALL_IO_URING_ENTER]++;
	result = io_uring_submit_and_wait_timeout(&self->ring, &report, 1, &timeout, NULL);
	if (take_reports(self, worker) & RECEIVE_REPORT)
		worker->counters.wakeups += timeout_ns != 0;
	else if (result < 0 && result != -ETIME && result != -EINTR)
		worker->counters.fault = (uint64_t)-result;
	else
		worker->counters.timeouts += timeout_ns != 0;
	return false;
}

/* Puts slots into the buffer ring, except those fetched before a stop and not handed out yet. */
static int offer_slots(struct path_udp_uring *self)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)self->buffers,
		.ring_entries = SOCKET_SLOTS,
		.bgid = BUFFER_GROUP,
	};
	uint32_t count = 0;
	int result = io_uring_register_buf_ring(&self->ring, &registration, 0);

	if (result)
		return result;
	io_uring_buf_ring_init(self->buffers);
	for (uint32_t slot = 0; slot < SOCKET_SLOTS; slot++)
		if (!self->busy[slot])
			offer(self, slot, count++);
	io_uring_buf_ring_advance(self->buffers, (int)count);
	return 0;
}

static int open_ring(struct path_udp_uring *self)
{
	/* A datagram takes one completion and one slot, so that these never overflow. The flags as in uring.c. */
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 2 * SOCKET_SLOTS,
	};
	int result = io_uring_queue_init_params(ENTRIES, &self->ring, &parameters);

	if (result)
		return result;
	self->armed = self->was_armed = false;
	result = offer_slots(self);
	if (result)
		io_uring_queue_exit(&self->ring);
	return result;
}

/* The kernel frees a ring some time after its exit; until then its pinned memory counts against the user's limit, which
 * may have no room for two rings. */
static int begin(struct path *path)
{
	const uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + REOPEN_RETRY_NS;
	int result;

	while ((result = open_ring(self_of(path))) == -ENOMEM && clock_ns(CLOCK_MONOTONIC) < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = REOPEN_PAUSE_NS }, NULL);
	return result;
}

/* Keeps the datagrams received meanwhile for the next start. */
static void end(struct path *path)
{
	struct path_udp_uring *self = self_of(path);

	socket_path_compact(&self->socket);
	if (self->armed) {
		struct io_uring_sqe *entry = io_uring_get_sqe(&self->ring);

		io_uring_prep_cancel64(entry, RECEIVE_REPORT, 0);
		io_uring_sqe_set_data64(entry, CANCEL_REPORT);
	}
	while (self->armed && io_uring_submit_and_wait(&self->ring, 1) >= 0)
		take_reports(self, NULL);
	io_uring_queue_exit(&self->ring);
}

static void close_path(struct path *path)
{
	munmap(self_of(path)->buffers, SOCKET_SLOTS * sizeof(struct io_uring_buf));
	socket_path_close(path);
}

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = socket_path_receive,
	.recycle = recycle,
	.wait = wait,
	.begin = begin,
	.end = end,
	.publish_receive = socket_path_publish_udp,
	.fault = socket_path_fault,
	.close = close_path,
};

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	int descriptor = socket_path_open_udp(place, error);
	struct path *path;
	void *buffers;

	if (descriptor < 0)
		return NULL;
	path = socket_path_make(sizeof(struct path_udp_uring), &operations, descriptor, place, NULL, error);
	if (!path)
		return NULL;
	buffers = mmap(NULL, SOCKET_SLOTS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffers == MAP_FAILED) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a ring of buffers");
		socket_path_close(path);
		return NULL;
	}
	self_of(path)->buffers = buffers;
	path->bare = true;
	return path;
}

const struct path_kind path_udp_uring = {
	.name = "udp-uring",
	.counts = XDPLAB_COUNTS_DATAGRAMS,
	.programs = &xdp_kernel,
	.open = open_path,
};
