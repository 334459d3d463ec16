/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the soft NIC stand on: a wire, a socket of which the test is the worker, and its peer's frames.
 */
#ifndef XDPLAB_SOFT_BENCH_H
#define XDPLAB_SOFT_BENCH_H

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "check.h"
#include "base/clock.h"
#include "soft/program.h"
#include "soft/socket.h"

enum { PORT, PEER };
enum { FRAME_SIZE = 2048, FRAME_COUNT = 256, MTU = 1500 };
#define PATIENCE_NS (30 * NS_PER_SECOND)

static struct xdplab_error bench_error;

#define CHECK_WELL(condition) CHECK(condition, "%s: %s", bench_error.tried, strerror(bench_error.code))

static inline struct xdplab_wire *make_wire(uint32_t queues)
{
	const struct xdplab_wire_config config = {
		.queues = queues,
		.mtu = MTU,
		.cpu = -1,
		.ends = {
			{ { 2, 0, 0, 0, 0, 1 }, { 198, 18, 0, 1 }, { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
			{ { 2, 0, 0, 0, 0, 2 }, { 198, 18, 0, 2 }, { 0x20, 1, 0xd, 0xb8, [15] = 2 } },
		},
	};
	struct xdplab_wire *wire = xdplab_wire_open(&config, &bench_error);

	CHECK_WELL(wire);
	return wire;
}

struct bench {
	struct xdplab_wire *wire;
	struct umem umem;
	struct xsk xsk;
	struct soft_socket *socket;
	uint32_t put; /* descriptors that stand in the TX ring and were not handed over */
	struct xdp program;
};

static inline struct umem make_umem(uint32_t headroom, bool unaligned)
{
	const struct umem_options options = {
		.frame_size = FRAME_SIZE,
		.frame_count = FRAME_COUNT,
		.headroom = headroom,
		.unaligned = unaligned,
	};
	struct umem umem;

	CHECK_WELL(!umem_allocate(&umem, &options, &bench_error));
	return umem;
}

/* A socket at the port's queue 0, with so many fill descriptors, and the program that leads there. */
static inline struct bench make_bench(uint32_t ring_size, uint32_t fill_frames, bool unaligned)
{
	struct bench bench = { .wire = make_wire(1), .umem = make_umem(0, unaligned) };
	const struct soft_socket_options options = {
		.wire = bench.wire,
		.ring_size = ring_size,
		.fill_ring_size = FRAME_COUNT,
		.fill_frames = fill_frames,
	};
	const struct program_options wanted = { .wire = bench.wire, .end = PORT };

	bench.socket = soft_socket_open(&options, &bench.umem, &bench.xsk, &bench_error);
	CHECK_WELL(bench.socket);
	CHECK_WELL(!xdp_soft.attach(&bench.program, &wanted, &bench_error));
	soft_socket_enter(bench.socket);
	return bench;
}

static inline void free_program(struct xdp *program)
{
	program->operations->detach(program);
	program->operations->close(program);
}

static inline void free_bench(struct bench *bench)
{
	free_program(&bench->program);
	soft_socket_close(bench->socket);
	umem_free(&bench->umem);
	xdplab_wire_close(bench->wire);
}

static inline struct xdplab_traffic make_traffic(uint32_t size, uint64_t frames)
{
	struct xdplab_traffic traffic = {
		.longest = 14 + MTU,
		.stream = { .size = size, .flows = 1, .limit_frames = frames },
	};

	/* IPv4 and UDP as far as anybody looks. */
	memcpy(traffic.stream.headers, (uint8_t[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45 }, 15);
	traffic.stream.headers[23] = 17;
	return traffic;
}

/* Fails if the condition does not come to hold in 30 s. */
#define AWAIT(condition, ...) \
	do { \
		const uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS; \
		while (!(condition) && clock_ns(CLOCK_MONOTONIC) < deadline_ns) \
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL); \
		CHECK(condition, __VA_ARGS__); \
	} while (0)

/* Lets the peer send frames, and waits until the last has arrived. */
static inline void receive_from_peer(struct xdplab_wire *wire, uint32_t size, uint64_t frames)
{
	const struct xdplab_traffic traffic = make_traffic(size, frames);
	struct xdplab_generator *generator =
		xdplab_wire_generator_open(wire, PEER, &traffic, NULL, &bench_error);

	CHECK_WELL(generator);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(!xdplab_generator_running(generator), "it goes on");
	CHECK(xdplab_generator_sent(generator) == frames, "it sent %llu",
	      (unsigned long long)xdplab_generator_sent(generator));
	xdplab_generator_close(generator);
}

static inline void put_descriptor(struct bench *bench, uint64_t address, uint32_t length, uint32_t options)
{
	CHECK(ring_free(&bench->xsk.tx, bench->put + 1) > bench->put, "the TX ring is full");
	*ring_descriptor(&bench->xsk.tx, bench->xsk.tx.own + bench->put++) =
		(struct xdp_desc){ .addr = address, .len = length, .options = options };
}

static inline void hand_over(struct bench *bench)
{
	ring_submit(&bench->xsk.tx, bench->put);
	bench->put = 0;
}

static inline bool wire_sleeps(const struct bench *bench)
{
	return ring_needs_wakeup(&bench->xsk.tx);
}

static inline void hand_over_and_kick(struct xdplab_wire *wire, void *argument)
{
	struct bench *bench = argument;

	(void)wire;
	hand_over(bench);
	soft_socket_kicks(bench->socket);
}

/* All that was put, and the kick, come at once, between two turns of the wire; and it has done its part when this
 * returns. */
static inline void kick_once(struct bench *bench)
{
	soft_call(bench->wire, hand_over_and_kick, bench);
	AWAIT(wire_sleeps(bench), "the wire does not come to its end");
}

static inline struct xdp_statistics statistics_of(const struct bench *bench)
{
	struct xdp_statistics statistics;

	soft_socket_statistics(bench->socket, &statistics);
	return statistics;
}

static inline struct xdplab_verdicts verdicts_of(const struct bench *bench)
{
	struct xdplab_verdicts verdicts;

	CHECK(!bench->program.operations->verdicts(&bench->program, &verdicts), "no verdicts");
	return verdicts;
}

#define CHECK_COUNT(found, expected) \
	CHECK((found) == (expected), "%llu, not %llu", (unsigned long long)(found), (unsigned long long)(expected))

#endif
