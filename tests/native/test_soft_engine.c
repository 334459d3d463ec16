/* SPDX-License-Identifier: Apache-2.0
 *
 * Engines on simulated interfaces: whatever their workers wait with, nothing is lost below what they can take, all
 * that they send arrives, and engine, generator and wire may go in any order.
 */
#include <errno.h>
#include <stddef.h>

#include "soft_bench.h"
#include "include/reader.h"
#include "shared/wait.h"

enum { RING = 2048, FRAMES = 4000, BATCHES = 20, ACTION_DROP = 0, ACTION_REFLECT = 1, ACTION_FORWARD = 3 };

static uint32_t soft_path(void)
{
	uint32_t index = 0;

	while (strcmp(xdplab_path(index), "soft"))
		index++;
	return index;
}

static struct xdplab_config make_config(const struct xdplab_worker_config *workers, uint32_t count, uint32_t action)
{
	return (struct xdplab_config){
		.program = "",
		.workers = workers,
		.worker_count = count,
		.action = action,
		.ring_size = RING,
		.frame_size = FRAME_SIZE,
		.path = soft_path(),
		.sample_bytes = 64,
		.publish_interval_ns = 5000000,
	};
}

static struct xdplab_engine *start_engine(const struct xdplab_config *config, uint32_t wait)
{
	struct xdplab_engine *engine = xdplab_engine_open(config, &bench_error);

	CHECK_WELL(engine);
	for (uint32_t port = 0; port < XDPLAB_PORTS; port++)
		if (config->wires[port])
			CHECK_WELL(!xdplab_engine_open_port(engine, port, 0, NULL, &bench_error));
	CHECK_WELL(!xdplab_engine_resume(engine, &bench_error));
	for (uint32_t i = 0; i < config->worker_count; i++)
		xdplab_store((uint64_t *)&xdplab_engine_control(engine, i)->wait, wait);
	if (xdplab_engine_start(engine, &bench_error)) {
		/* Where a sandbox forbids io_uring. */
		CHECK(bench_error.code == EPERM || bench_error.code == ENOSYS, "%s: %s", bench_error.tried,
		      strerror(bench_error.code));
		xdplab_engine_close(engine);
		return NULL;
	}
	return engine;
}

static struct xdplab_engine *start_one(struct xdplab_wire *wire, uint32_t action, uint32_t wait)
{
	static const struct xdplab_worker_config worker = { .cpu = 0 };
	struct xdplab_config config = make_config(&worker, 1, action);

	config.wires[0] = wire;
	config.ends[0] = PORT;
	return start_engine(&config, wait);
}

static struct xdplab_generator *start_generator(struct xdplab_wire *wire, uint64_t frames)
{
	const struct xdplab_traffic traffic = make_traffic(64, frames);
	struct xdplab_generator *generator =
		xdplab_wire_generator_open(wire, PEER, &traffic, NULL, &bench_error);

	CHECK_WELL(generator);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	return generator;
}

static uint64_t received_by(const struct xdplab_wire *wire, uint32_t end)
{
	struct xdplab_link_statistics statistics;

	xdplab_wire_link_statistics(wire, end, &statistics);
	return statistics.rx_packets;
}

/* In bursts, so that it falls asleep in between, and each is less than its rings hold. */
static void all_comes_back(uint32_t wait)
{
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_engine *engine = start_one(wire, ACTION_REFLECT, wait);
	struct xdplab_generator *generator;
	uint64_t expected = 0;

	if (!engine) {
		printf("%s can't be had here\n", xdplab_wait_strategy(wait));
		xdplab_wire_close(wire);
		return;
	}
	for (uint32_t i = 0; i < BATCHES; i++) {
		generator = start_generator(wire, FRAMES / BATCHES);
		expected += FRAMES / BATCHES;
		AWAIT(received_by(wire, PEER) == expected, "%s: %llu of %llu", xdplab_wait_strategy(wait),
		      (unsigned long long)received_by(wire, PEER), (unsigned long long)expected);
		xdplab_generator_close(generator);
	}
	xdplab_engine_close(engine);
	xdplab_wire_close(wire);
}

/* From one wire to another; or from one end of a wire out of its other end, which is to the first again. */
static void what_is_forwarded_arrives_on_the_other_side(void)
{
	static const struct xdplab_worker_config workers[] = {
		{ .port = 0, .transmit = 1 },
		{ .port = 1, .transmit = 0 },
	};
	struct xdplab_config config = make_config(workers, 2, ACTION_FORWARD);
	struct xdplab_wire *one = make_wire(1), *other = make_wire(1);
	struct xdplab_generator *generator;
	struct xdplab_engine *engine;

	config.takes_all = 1;
	config.wires[0] = one;
	config.wires[1] = other;
	engine = start_engine(&config, WAIT_poll);
	generator = start_generator(one, 1000);
	AWAIT(received_by(other, PEER) == 1000, "%llu", (unsigned long long)received_by(other, PEER));
	xdplab_generator_close(generator);
	generator = start_generator(other, 500);
	AWAIT(received_by(one, PEER) == 500, "%llu", (unsigned long long)received_by(one, PEER));
	xdplab_generator_close(generator);
	/* Another way of joining; the engine keeps its region. */
	config.wires[1] = one;
	config.ends[1] = PEER;
	CHECK_WELL(!xdplab_engine_reconfigure(engine, &config, &bench_error));
	xdplab_wire_close(other);
	for (uint32_t port = 0; port < 2; port++)
		CHECK_WELL(!xdplab_engine_open_port(engine, port, 0, NULL, &bench_error));
	CHECK_WELL(!xdplab_engine_resume(engine, &bench_error));
	CHECK_WELL(!xdplab_engine_start(engine, &bench_error));
	generator = start_generator(one, 10);
	AWAIT(received_by(one, PORT) > 2000, "%llu", (unsigned long long)received_by(one, PORT));
	xdplab_engine_close(engine);
	xdplab_generator_close(generator);
	xdplab_wire_close(one);
}

/* The wire counts a burst when it takes it, and the XDP program each of its packets after that. */
static uint64_t counted_by_program(struct xdplab_engine *engine)
{
	struct xdplab_verdicts verdicts;

	if (xdplab_engine_verdicts(engine, 0, &verdicts))
		return 0;
	return verdicts.redirected + verdicts.passed + verdicts.no_socket + verdicts.reconfiguring;
}

static void a_paused_engine_leaves_packets_to_the_stack_and_counts_them(void)
{
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_engine *engine = start_one(wire, ACTION_DROP, WAIT_poll);
	struct xdplab_generator *generator = start_generator(wire, 100);
	static const struct xdplab_worker_config workers[] = { { .port = 0 } };
	struct xdplab_config config = make_config(workers, 1, ACTION_DROP);
	struct xdplab_verdicts verdicts;

	AWAIT(counted_by_program(engine) == 100, "they do not arrive");
	xdplab_generator_close(generator);
	xdplab_engine_pause(engine);
	generator = start_generator(wire, 100);
	AWAIT(counted_by_program(engine) == 200, "they do not arrive");
	CHECK(!xdplab_engine_verdicts(engine, 0, &verdicts), "no verdicts");
	CHECK_COUNT(verdicts.redirected, 100);
	CHECK_COUNT(verdicts.reconfiguring, 100);
	xdplab_generator_close(generator);
	config.wires[0] = wire;
	CHECK_WELL(!xdplab_engine_reconfigure(engine, &config, &bench_error));
	CHECK_WELL(!xdplab_engine_open_port(engine, 0, 0, NULL, &bench_error));
	CHECK_WELL(!xdplab_engine_resume(engine, &bench_error));
	CHECK_WELL(!xdplab_engine_start(engine, &bench_error));
	generator = start_generator(wire, 100);
	AWAIT(counted_by_program(engine) == 300, "they do not arrive");
	CHECK(!xdplab_engine_verdicts(engine, 0, &verdicts), "no verdicts");
	CHECK_COUNT(verdicts.redirected, 200);
	CHECK_COUNT(verdicts.reconfiguring, 100);
	CHECK_COUNT(verdicts.no_socket, 0);
	xdplab_generator_close(generator);
	xdplab_engine_close(engine);
	xdplab_wire_close(wire);
}

static uint64_t fault_of(const struct xdplab_region *region)
{
	struct xdplab_record record = { 0 };
	uint64_t next, written = xdplab_history_written(region, 0);

	if (!written || !xdplab_read_history(region, 0, written - 1, &record, 1, &next))
		return 0;
	return record.counters.fault;
}

static void an_engine_outlives_its_wire_and_ends_as_on_an_interface_that_is_gone(uint32_t wait)
{
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_engine *engine = start_one(wire, ACTION_REFLECT, wait);
	struct xdplab_generator *generator = start_generator(wire, 0);
	struct xdplab_region *region;

	CHECK(engine, "%s can't be had", xdplab_wait_strategy(wait));
	AWAIT(received_by(wire, PEER), "nothing comes back");
	region = xdplab_region_map(xdplab_engine_descriptor(engine), &bench_error);
	CHECK_WELL(region);
	CHECK_COUNT(xdplab_region_header(region)->simulated, 1);
	xdplab_wire_close(wire);
	AWAIT(fault_of(region) == ENETDOWN, "%llu", (unsigned long long)fault_of(region));
	CHECK_COUNT(xdplab_generator_fault(generator), ENODEV);
	xdplab_region_unmap(region);
	xdplab_engine_close(engine);
	xdplab_generator_close(generator);
}

static void several_frames_a_packet_and_no_copy_are_refused(void)
{
	static const struct xdplab_worker_config worker = { .cpu = 0 };
	struct xdplab_config config = make_config(&worker, 1, ACTION_DROP);
	struct xdplab_engine *engine;

	config.wires[0] = make_wire(1);
	config.multi_buffer = 1;
	CHECK(!xdplab_engine_open(&config, &bench_error), "several frames a packet");
	CHECK_COUNT(bench_error.code, EOPNOTSUPP);
	config.multi_buffer = 0;
	config.bind_mode = XDPLAB_BIND_ZERO_COPY;
	engine = xdplab_engine_open(&config, &bench_error);
	CHECK_WELL(engine);
	CHECK(xdplab_engine_open_port(engine, 0, 0, NULL, &bench_error), "without a copy");
	CHECK_COUNT(bench_error.code, EOPNOTSUPP);
	xdplab_engine_close(engine);
	xdplab_wire_close(config.wires[0]);
}

int main(void)
{
	for (uint32_t wait = 0; wait < WAIT_COUNT; wait++)
		all_comes_back(wait);
	what_is_forwarded_arrives_on_the_other_side();
	a_paused_engine_leaves_packets_to_the_stack_and_counts_them();
	an_engine_outlives_its_wire_and_ends_as_on_an_interface_that_is_gone(WAIT_spin);
	an_engine_outlives_its_wire_and_ends_as_on_an_interface_that_is_gone(WAIT_poll);
	several_frames_a_packet_and_no_copy_are_refused();
	return 0;
}
