/* SPDX-License-Identifier: Apache-2.0
 *
 * What a scenario does to an AF_XDP socket, the same for one of the kernel's and a simulated one.
 */
#ifndef XDPLAB_SOFT_DRIVER_H
#define XDPLAB_SOFT_DRIVER_H

#include <errno.h>

#include "soft_bench.h"

enum { RING = 8, MOST_KICKS = 20 };

struct side {
	bool kernel;
	uint32_t interface_index;
	int packets;
	const char *program;
};

struct driver;

struct scenario {
	const char *name;
	void (*play)(struct driver *driver);
	struct xdp_desc descriptor; /* to be sent, where it is one alone */
	uint32_t ring_size;         /* 0: RING */
	uint32_t fill_frames;
	uint32_t headroom;
	bool unaligned;
};

struct driver {
	const struct side *side;
	const struct scenario *scenario;
	struct bench bench; /* of the kernel's side only UMEM, rings and program are used */
	uint64_t sent;      /* to the socket */
};

static inline uint32_t ring_size(const struct scenario *scenario)
{
	return scenario->ring_size ? scenario->ring_size : RING;
}

static inline void open_kernel_socket(struct driver *driver)
{
	struct bench *bench = &driver->bench;
	const struct xsk_options options = {
		.interface_index = driver->side->interface_index,
		.ring_size = ring_size(driver->scenario),
		.fill_ring_size = FRAME_COUNT,
		.completion_ring_size = ring_size(driver->scenario),
		.bind_mode = XDPLAB_BIND_COPY,
		.fill_frames = driver->scenario->fill_frames,
		.umem_owner = -1,
	};
	const int descriptor = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	CHECK(descriptor >= 0, "%s", strerror(errno));
	CHECK_WELL(!xsk_open(&bench->xsk, descriptor, &bench->umem, &options, &bench_error));
}

static inline void open_soft_socket(struct driver *driver)
{
	struct bench *bench = &driver->bench;
	const struct soft_socket_options options = {
		.wire = bench->wire,
		.ring_size = ring_size(driver->scenario),
		.fill_ring_size = FRAME_COUNT,
		.fill_frames = driver->scenario->fill_frames,
	};

	bench->socket = soft_socket_open(&options, &bench->umem, &bench->xsk, &bench_error);
	CHECK_WELL(bench->socket);
}

static inline void open_socket(struct driver *driver)
{
	driver->sent = 0;
	if (driver->side->kernel)
		open_kernel_socket(driver);
	else
		open_soft_socket(driver);
}

static inline void enter_socket(struct driver *driver)
{
	struct bench *bench = &driver->bench;

	if (driver->side->kernel)
		CHECK_WELL(!xdp_enter_socket(&bench->program, 0, bench->xsk.descriptor, &bench_error));
	else
		soft_socket_enter(bench->socket);
}

static inline void close_socket(struct driver *driver)
{
	if (driver->side->kernel)
		xsk_close(&driver->bench.xsk);
	else
		soft_socket_close(driver->bench.socket);
}

static inline void open_driver(struct driver *driver)
{
	struct bench *bench = &driver->bench;
	const struct xdp_kind *kind = driver->side->kernel ? &xdp_kernel : &xdp_soft;
	struct program_options options = { .attach = {
		.program = driver->side->program,
		.interface_index = driver->side->interface_index,
		.queues = 1,
	} };

	bench->umem = make_umem(driver->scenario->headroom, driver->scenario->unaligned);
	if (!driver->side->kernel)
		options.wire = bench->wire = make_wire(1);
	open_socket(driver);
	CHECK_WELL(!kind->attach(&bench->program, &options, &bench_error));
	enter_socket(driver);
}

static inline void close_driver(struct driver *driver)
{
	struct bench *bench = &driver->bench;

	free_program(&bench->program);
	close_socket(driver);
	umem_free(&bench->umem);
	if (!driver->side->kernel)
		xdplab_wire_close(bench->wire);
}

static inline struct xdp_statistics statistics(const struct driver *driver)
{
	struct xdp_statistics found;

	if (!driver->side->kernel)
		return statistics_of(&driver->bench);
	CHECK(xsk_statistics(&driver->bench.xsk, &found), "%s", strerror(errno));
	return found;
}

/* Frames that are in the RX ring, or were counted as lost. */
static inline uint64_t accounted(const struct driver *driver)
{
	const struct xdp_statistics found = statistics(driver);

	return ring_producer_position(&driver->bench.xsk.rx) + found.rx_dropped + found.rx_ring_full;
}

static inline void send_from_peer(const struct driver *driver, uint32_t size, uint32_t frames)
{
	uint8_t frame[MTU] = { [12] = 0x08 };

	if (!driver->side->kernel) {
		receive_from_peer(driver->bench.wire, size, frames);
		return;
	}
	for (uint32_t i = 0; i < frames; i++)
		CHECK(send(driver->side->packets, frame, size, 0) == (ssize_t)size, "%s", strerror(errno));
}

static inline void receive_at_once(struct driver *driver, uint32_t size, uint32_t frames)
{
	send_from_peer(driver, size, frames);
	driver->sent += frames;
	AWAIT(accounted(driver) == driver->sent, "%llu of %llu", (unsigned long long)accounted(driver),
	      (unsigned long long)driver->sent);
}

/* One by one, as the kernel tells some things only when it has come to an end. */
static inline void receive(struct driver *driver, uint32_t size, uint32_t frames)
{
	for (uint32_t i = 0; i < frames; i++)
		receive_at_once(driver, size, 1);
}

static inline void take(struct driver *driver, uint32_t frames)
{
	CHECK(ring_waiting_now(&driver->bench.xsk.rx) >= frames, "too few have come");
	ring_release(&driver->bench.xsk.rx, frames);
}

static inline void fill(struct driver *driver, uint64_t address)
{
	struct ring *ring = &driver->bench.xsk.fill;

	*ring_address(ring, ring->own) = address;
	ring_submit(ring, 1);
}

static inline uint64_t completed(const struct driver *driver)
{
	return ring_producer_position(&driver->bench.xsk.completion);
}

static inline uint64_t taken(const struct driver *driver)
{
	return ring_consumer_position(&driver->bench.xsk.tx);
}

static inline void kick(struct driver *driver)
{
	if (driver->side->kernel) {
		hand_over(&driver->bench);
		sendto(driver->bench.xsk.descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0);
	} else {
		kick_once(&driver->bench);
	}
	/* The kernel completes when the far end has the frame. */
	AWAIT(completed(driver) == taken(driver), "not completed");
}

/* As a worker does it: for as long as frames wait. */
static inline void send_all(struct driver *driver)
{
	for (uint32_t i = 0; i < MOST_KICKS && (driver->bench.put || taken(driver) != driver->bench.xsk.tx.own); i++)
		kick(driver);
}

static inline void put(struct driver *driver, uint64_t address, uint32_t length, uint32_t options)
{
	put_descriptor(&driver->bench, address, length, options);
}

static inline void put_valid(struct driver *driver, uint32_t frames)
{
	for (uint32_t i = 0; i < frames; i++)
		put(driver, (uint64_t)i * FRAME_SIZE, 60, 0);
}

static inline void take_completions(struct driver *driver)
{
	ring_release(&driver->bench.xsk.completion, ring_waiting_now(&driver->bench.xsk.completion));
}

#endif
