/* SPDX-License-Identifier: Apache-2.0
 *
 * packet-mmap: an AF_PACKET socket with a ring of blocks that the kernel fills with packets, one after the other
 * (TPACKET_V3, Documentation/networking/packet_mmap.rst). The kernel hands a block over when it is full, or some time
 * after it began; the worker reads the packets in place, and returns the block once all of them were recycled.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "receive/socket_path.h"
#include "shared/worker.h"
#include "xdp/xdp.h"

enum { BLOCK_SIZE = 1 << 16, FRAME_SIZE = 1 << 11 };
/* Milliseconds after which the kernel hands over a block that is not full; it counts in ticks. */
enum { RETIRE_MS = 1 };
/* Makes packets begin at a multiple of 8, as samples need it: the end of the Ethernet header is a multiple of 16. */
enum { RESERVE = 6 };

struct path_packet_mmap {
	struct socket_path socket; /* without slots: the area is the ring */
	uint32_t blocks;
	uint32_t block;    /* the one being read, or the next */
	bool open;         /* the worker owns it */
	uint32_t left;     /* packets of it not handed out yet */
	uint32_t away;     /* packets of it handed out and not recycled yet */
	uint64_t offset;   /* of the next packet, in the area */
};

static struct path_packet_mmap *self_of(struct path *path)
{
	return (struct path_packet_mmap *)path;
}

static struct tpacket_hdr_v1 *head_of(const struct path_packet_mmap *self)
{
	struct tpacket_block_desc *block =
		(void *)(self->socket.path.area + (uint64_t)self->block * BLOCK_SIZE);

	return &block->hdr.bh1;
}

static bool is_handed_over(const struct path_packet_mmap *self)
{
	/* Acquire: makes visible what the kernel wrote into the block before. */
	return __atomic_load_n(&head_of(self)->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

static void give_back_block(struct path_packet_mmap *self)
{
	/* Release: our reads of the block are done before. */
	__atomic_store_n(&head_of(self)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	self->block = (self->block + 1) % self->blocks;
	self->open = false;
}

static bool open_block(struct path_packet_mmap *self)
{
	while (!self->open && is_handed_over(self)) {
		self->open = true;
		self->left = head_of(self)->num_pkts;
		self->offset = (uint64_t)self->block * BLOCK_SIZE + head_of(self)->offset_to_first_pkt;
		if (!self->left)
			give_back_block(self);
	}
	return self->open;
}

static uint32_t receive(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	struct path_packet_mmap *self = self_of(path);
	uint32_t count = 0;

	if (!open_block(self))
		return 0;
	while (count < limit && self->left) {
		const struct tpacket3_hdr *packet = (const void *)(path->area + self->offset);

		frames[count++] = (struct xdp_desc){
			.addr = self->offset + packet->tp_mac,
			.len = packet->tp_snaplen,
		};
		self->offset += packet->tp_next_offset;
		self->left--;
	}
	self->away += count;
	self->socket.fetches += count;
	return count;
}

static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	struct path_packet_mmap *self = self_of(path);

	(void)frames;
	self->away -= count;
	if (self->open && !self->left && !self->away)
		give_back_block(self);
}

static bool wait(struct path *path, struct worker *worker, uint64_t timeout_ns)
{
	const struct timespec timeout = clock_timespec(timeout_ns);
	struct pollfd ready = { .fd = path->descriptor, .events = POLLIN };

	if (!timeout_ns || open_block(self_of(path)))
		return false;
	worker->counters.syscalls[XDPLAB_SYSCALL_POLL]++;
	if (ppoll(&ready, 1, &timeout, NULL) > 0)
		worker->counters.wakeups++;
	else
		worker->counters.timeouts++;
	return false;
}

/* When the link goes down, the kernel sets an error on the socket, and poll returns at once until it is read. The link
 * may come up again. */
static int fault(struct path *path)
{
	int code;
	socklen_t length = sizeof(code);

	getsockopt(path->descriptor, SOL_SOCKET, SO_ERROR, &code, &length);
	return socket_path_fault(path);
}

static void close_path(struct path *path)
{
	munmap(path->area, (size_t)self_of(path)->blocks * BLOCK_SIZE);
	path->area = NULL;
	socket_path_close(path);
}

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = receive,
	.recycle = recycle,
	.wait = wait,
	.publish_receive = socket_path_publish_packet,
	.fault = fault,
	.close = close_path,
};

/* Sets up the ring. Returns its number of blocks, or 0. */
static uint32_t set_up_ring(int descriptor, const struct path_place *place, struct xdplab_error *error)
{
	const int version = TPACKET_V3;
	const unsigned int reserve = RESERVE;
	const uint32_t blocks = (uint32_t)(place->config->socket_buffer / BLOCK_SIZE);
	const struct tpacket_req3 request = {
		.tp_block_size = BLOCK_SIZE,
		.tp_block_nr = blocks,
		.tp_frame_size = FRAME_SIZE,
		.tp_frame_nr = blocks * (BLOCK_SIZE / FRAME_SIZE),
		.tp_retire_blk_tov = RETIRE_MS,
	};

	if (setsockopt(descriptor, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(descriptor, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof(reserve)) ||
	    setsockopt(descriptor, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request))) {
		fail(error, XDPLAB_STEP_SIZE_RINGS, errno, "make a ring of %u blocks", blocks);
		return 0;
	}
	return blocks;
}

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	int descriptor = socket_path_open_packet(place, error);
	struct path_packet_mmap *self;
	uint32_t blocks;
	void *area;

	if (descriptor < 0)
		return NULL;
	blocks = set_up_ring(descriptor, place, error);
	if (!blocks)
		goto close;
	area = mmap(NULL, (size_t)blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		    descriptor, 0);
	if (area == MAP_FAILED) {
		fail(error, XDPLAB_STEP_SIZE_RINGS, errno, "map a ring of %u blocks", blocks);
		goto close;
	}
	if (socket_path_bind_packet(descriptor, place, error)) {
		munmap(area, (size_t)blocks * BLOCK_SIZE);
		goto close;
	}
	self = (void *)socket_path_make(sizeof(*self), &operations, descriptor, place, area, error);
	if (!self) {
		munmap(area, (size_t)blocks * BLOCK_SIZE);
		return NULL;
	}
	self->blocks = blocks;
	return &self->socket.path;
close:
	close(descriptor);
	return NULL;
}

const struct path_kind path_packet_mmap = {
	.name = "packet-mmap",
	.counts = XDPLAB_COUNTS_ALL,
	.programs = &xdp_kernel,
	.open = open_path,
};
