/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/xsk.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/error.h"
#include "include/frame.h"

static_assert(sizeof(struct xdplab_frame) == sizeof(struct xdp_desc) &&
		      offsetof(struct xdplab_frame, address) == offsetof(struct xdp_desc, addr) &&
		      offsetof(struct xdplab_frame, length) == offsetof(struct xdp_desc, len) &&
		      offsetof(struct xdplab_frame, options) == offsetof(struct xdp_desc, options) &&
		      XDPLAB_FRAME_CONTINUES == XDP_PKT_CONTD,
	      "the kernel's layout");

/* The kernel frees a queue late, in a work item that waits for RTNL: a bind right after another socket's close sees
 * EBUSY for some 30 ms, where its core is busy for several hundred, and on an overloaded machine for more than a
 * second. */
#define BIND_RETRY_NS (1000 * 1000 * 1000ull)
#define CLOSED_RETRY_NS (10 * BIND_RETRY_NS)
#define BIND_PAUSE_NS (5 * 1000 * 1000)

static int size_ring(int socket, int option, uint32_t size, const char *name, struct xdplab_error *error)
{
	if (setsockopt(socket, SOL_XDP, option, &size, sizeof(size)))
		return fail(error, XDPLAB_STEP_SIZE_RINGS, errno, "make a %s ring of %u entries", name, size);
	return 0;
}

static int size_own_rings(int socket, const struct xsk_options *options, struct xdplab_error *error)
{
	const int result = size_ring(socket, XDP_UMEM_FILL_RING, options->fill_ring_size, "fill", error);

	if (result)
		return result;
	return size_ring(socket, XDP_UMEM_COMPLETION_RING, options->completion_ring_size, "completion", error);
}

static uint64_t ring_bytes(const struct xdp_ring_offset *offset, uint32_t size, size_t entry)
{
	return offset->desc + size * entry;
}

static int map_ring(struct ring *ring, int socket, off_t page, const struct xdp_ring_offset *offset,
		    uint32_t size, size_t entry, struct xdplab_error *error)
{
	char *base = mmap(NULL, ring_bytes(offset, size, entry), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, socket, page);

	if (base == MAP_FAILED)
		return fail(error, XDPLAB_STEP_SIZE_RINGS, errno, "map a ring of %u entries", size);
	*ring = (struct ring){
		.producer = (void *)(base + offset->producer),
		.consumer = (void *)(base + offset->consumer),
		.flags = (void *)(base + offset->flags),
		.entries = base + offset->desc,
		.size = size,
		.mask = size - 1,
		.mapping = base,
		.mapping_size = ring_bytes(offset, size, entry),
	};
	return 0;
}

static int map_rings(struct xsk *xsk, const struct xsk_options *options, struct xdplab_error *error)
{
	const size_t address = sizeof(uint64_t), descriptor = sizeof(struct xdp_desc);
	struct xdp_mmap_offsets offsets = { 0 };
	socklen_t length = sizeof(offsets);
	int socket = xsk->descriptor;

	if (getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length))
		return fail(error, XDPLAB_STEP_SIZE_RINGS, errno, "ask where the rings are");
	if (!options->joins &&
	    (map_ring(&xsk->fill, socket, XDP_UMEM_PGOFF_FILL_RING, &offsets.fr, options->fill_ring_size, address,
		      error) ||
	     map_ring(&xsk->completion, socket, XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr,
		      options->completion_ring_size, address, error)))
		return -error->code;
	if (map_ring(&xsk->rx, socket, XDP_PGOFF_RX_RING, &offsets.rx, options->ring_size, descriptor, error) ||
	    map_ring(&xsk->tx, socket, XDP_PGOFF_TX_RING, &offsets.tx, options->ring_size, descriptor, error))
		return -error->code;
	return 0;
}

static int bind_queue(const struct xsk *xsk, const struct xsk_options *options, struct xdplab_error *error)
{
	static const uint16_t flags[] = {
		[XDPLAB_BIND_AUTO] = 0,
		[XDPLAB_BIND_COPY] = XDP_COPY,
		[XDPLAB_BIND_ZERO_COPY] = XDP_ZEROCOPY,
	};
	const bool shares = options->umem_owner >= 0;
	const uint16_t several = options->multi_buffer ? XDP_USE_SG : 0;
	/* A socket that shares a UMEM takes the other options from the first socket's bind. */
	const struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = options->interface_index,
		.sxdp_queue_id = options->queue,
		.sxdp_flags = shares ? XDP_SHARED_UMEM : XDP_USE_NEED_WAKEUP | several | flags[options->bind_mode],
		.sxdp_shared_umem_fd = shares ? (uint32_t)options->umem_owner : 0,
	};
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + (options->closed ? CLOSED_RETRY_NS : BIND_RETRY_NS);

	while (bind(xsk->descriptor, (const struct sockaddr *)&address, sizeof(address))) {
		if (errno != EBUSY || clock_ns(CLOCK_MONOTONIC) > deadline)
			return fail(error, XDPLAB_STEP_BIND, errno, "bind an AF_XDP socket to queue %u",
				    options->queue);
		nanosleep(&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
	}
	return 0;
}

void xsk_fill(struct ring *fill, const struct umem *umem, uint32_t first_frame, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		*ring_address(fill, fill->own + i) = (uint64_t)(first_frame + i) * umem->frame_size;
	ring_submit(fill, count);
}

/* Raises the limit of packets that one kick sends in copy mode; before Linux 6.17 it is always 32. */
static void widen_kicks(int descriptor, uint32_t ring_size)
{
	const uint32_t packets = ring_size < 256 ? ring_size : 256;

	setsockopt(descriptor, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &packets, sizeof(packets));
}

int xsk_open(struct xsk *xsk, int descriptor, const struct umem *umem, const struct xsk_options *options,
	     struct xdplab_error *error)
{
	const bool registers = options->umem_owner < 0 && !options->umem_registered;

	*xsk = (struct xsk){ .descriptor = descriptor };
	if ((registers && umem_register(umem, descriptor, error)) ||
	    (!options->joins && size_own_rings(descriptor, options, error)) ||
	    size_ring(descriptor, XDP_RX_RING, options->ring_size, "RX", error) ||
	    size_ring(descriptor, XDP_TX_RING, options->ring_size, "TX", error) ||
	    map_rings(xsk, options, error)) {
		xsk_close(xsk);
		return -error->code;
	}
	/* At first, all frames of the socket are in the fill ring. */
	if (!options->joins)
		xsk_fill(&xsk->fill, umem, options->first_frame, options->fill_frames);
	widen_kicks(descriptor, options->ring_size);
	if (bind_queue(xsk, options, error)) {
		xsk_close(xsk);
		return -error->code;
	}
	return 0;
}

void xsk_close(struct xsk *xsk)
{
	struct ring *rings[] = { &xsk->fill, &xsk->completion, &xsk->rx, &xsk->tx };

	for (size_t i = 0; i < sizeof(rings) / sizeof(*rings); i++)
		if (rings[i]->mapping)
			munmap(rings[i]->mapping, rings[i]->mapping_size);
	close(xsk->descriptor);
}

bool xsk_zero_copy(const struct xsk *xsk)
{
	struct xdp_options options = { 0 };
	socklen_t length = sizeof(options);

	return !getsockopt(xsk->descriptor, SOL_XDP, XDP_OPTIONS, &options, &length) &&
	       options.flags & XDP_OPTIONS_ZEROCOPY;
}

bool xsk_statistics(const struct xsk *xsk, struct xdp_statistics *statistics)
{
	socklen_t length = sizeof(*statistics);

	return !getsockopt(xsk->descriptor, SOL_XDP, XDP_STATISTICS, statistics, &length);
}

int xsk_fault(const struct xsk *xsk)
{
	int code = 0;
	socklen_t length = sizeof(code);

	return getsockopt(xsk->descriptor, SOL_SOCKET, SO_ERROR, &code, &length) ? errno : code;
}
