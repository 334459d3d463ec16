/* SPDX-License-Identifier: Apache-2.0
 *
 * A wire by itself: its stacks answer, captured frames are sent as they are and when they are due, what is late keeps
 * its order, and all ends in any order.
 */
#include <errno.h>
#include <netinet/in.h>

#include "soft_bench.h"
#include "include/traffic.h"

static const uint8_t port_ipv4[] = { 198, 18, 0, 1 };
static const uint8_t port_ipv6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

static int ping(struct xdplab_wire *wire, const uint8_t *target, uint32_t family, uint32_t size, uint32_t *received)
{
	uint32_t sent;
	int result = xdplab_wire_ping(wire, PEER, target, family, 3, 1000000, size, 200 * 1000000ull, &sent, received);

	if (!result)
		CHECK_COUNT(sent, 3);
	return result;
}

static void a_stack_answers_for_its_own_addresses_alone(void)
{
	enum { LARGEST = 65507 }; /* that IPv4 has */
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_link_statistics port;
	uint32_t received;

	for (uint32_t size = 0; size <= LARGEST; size += LARGEST / 29) {
		CHECK_COUNT(ping(wire, port_ipv4, AF_INET, size, &received), 0);
		CHECK_COUNT(received, 3);
		CHECK_COUNT(ping(wire, port_ipv6, AF_INET6, size, &received), 0);
		CHECK_COUNT(received, 3);
	}
	CHECK_COUNT(ping(wire, (uint8_t[]){ 198, 18, 0, 9 }, AF_INET, 56, &received), 0);
	CHECK_COUNT(received, 0);
	xdplab_wire_link_statistics(wire, PORT, &port);
	CHECK_COUNT(port.rx_packets, 30 * 6 + 3);
	CHECK_COUNT(port.tx_packets, 30 * 6);
	CHECK_COUNT(ping(wire, port_ipv4, AF_UNIX, 56, &received), -EINVAL);
	CHECK_COUNT(ping(wire, port_ipv4, AF_INET, 1 << 20, &received), -EINVAL);
	xdplab_wire_cut(wire);
	CHECK_COUNT(ping(wire, port_ipv4, AF_INET, 56, &received), -ENETDOWN);
	xdplab_wire_close(wire);
}

/* Their numbers have 16 bits. */
static void there_may_be_more_requests_than_numbers(void)
{
	enum { REQUESTS = 70000 };
	struct xdplab_wire *wire = make_wire(1);
	uint32_t sent, received;

	CHECK_COUNT(xdplab_wire_ping(wire, PEER, port_ipv4, AF_INET, REQUESTS, 0, 56, PATIENCE_NS, &sent, &received), 0);
	CHECK_COUNT(sent, REQUESTS);
	CHECK_COUNT(received, REQUESTS);
	xdplab_wire_close(wire);
}

/* As a host that is not ours would, by the checksum's own definition: with it, all words add up to nothing. */
static void its_packets_have_right_checksums(void)
{
	struct bench bench = make_bench(64, 64, false);
	const uint8_t *frame;
	uint32_t received, sum;

	CHECK_COUNT(ping(bench.wire, port_ipv6, AF_INET6, 55, &received), 0);
	CHECK_COUNT(received, 0); /* the socket took them */
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 3);
	frame = bench.umem.area + ring_descriptor(&bench.xsk.rx, 0)->addr;
	sum = IPPROTO_ICMPV6 + 63;
	for (uint32_t i = 14 + 8; i < 14 + 40 + 63; i++)
		sum += i % 2 ? frame[i] : (uint32_t)frame[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	CHECK_COUNT(sum, 0xffff);
	free_bench(&bench);
}

enum { CAPTURED = 10 };

static struct xdplab_generator *open_replay(struct xdplab_wire *wire, uint32_t repeat)
{
	static uint8_t frames[CAPTURED * (CAPTURED + 1) / 2 * 60];
	const struct xdplab_traffic traffic = make_traffic(64, 0);
	uint32_t lengths[CAPTURED];
	uint64_t times_ns[CAPTURED];
	uint8_t *next = frames;
	const struct xdplab_replay replay = {
		.frames = frames,
		.lengths = lengths,
		.times_ns = times_ns,
		.count = CAPTURED,
		.repeat = repeat,
	};
	struct xdplab_generator *generator;

	for (uint32_t i = 0; i < CAPTURED; i++) {
		lengths[i] = 60 * (i + 1);
		memset(next, (int)i + 1, lengths[i]);
		next += lengths[i];
		times_ns[i] = 1000000000ull + i * 2000000;
	}
	generator = xdplab_wire_generator_open(wire, PEER, &traffic, &replay, &bench_error);
	CHECK_WELL(generator);
	return generator;
}

static void captured_frames_are_sent_as_they_are_and_not_before_their_time(void)
{
	struct bench bench = make_bench(64, 64, false);
	struct xdplab_generator *generator = open_replay(bench.wire, 2);
	const uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);

	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(!xdplab_generator_running(generator), "it goes on");
	/* A round takes as long as from the first to the last, and 2 ms until the next. */
	CHECK(clock_ns(CLOCK_MONOTONIC) - began_ns > 38000000, "it came too soon");
	CHECK_COUNT(xdplab_generator_sent(generator), 2 * CAPTURED);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 2 * CAPTURED);
	for (uint32_t i = 0; i < 2 * CAPTURED; i++) {
		const struct xdp_desc *descriptor = ring_descriptor(&bench.xsk.rx, i);

		CHECK_COUNT(descriptor->len, 60 * (i % CAPTURED + 1));
		CHECK_COUNT(bench.umem.area[descriptor->addr + descriptor->len - 1], i % CAPTURED + 1);
	}
	xdplab_generator_close(generator);
	free_bench(&bench);
}

static void an_interval_overrules_the_times_of_a_capture(void)
{
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_generator *generator = open_replay(wire, 0);

	xdplab_generator_set_interval(generator, 1);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(xdplab_generator_sent(generator) > 1000, "it keeps to the capture's times");
	xdplab_generator_stop(generator);
	CHECK(!xdplab_generator_running(generator), "it runs on");
	xdplab_generator_close(generator);
	xdplab_wire_close(wire);
}

static void what_is_late_arrives_whole_and_in_order_however_jitter_is_turned(const struct xdplab_wire_faults *turned)
{
	const struct xdplab_wire_faults jitter = { .jitter_ns = 3000000 }, more = { .jitter_ns = 60 * NS_PER_SECOND };
	struct bench bench = make_bench(256, FRAME_COUNT, false);
	const struct traffic_payload *payload;

	xdplab_wire_set_faults(bench.wire, PORT, &jitter);
	receive_from_peer(bench.wire, 200, 100);
	AWAIT(ring_waiting_now(&bench.xsk.rx) == 100, "some are held for good");
	xdplab_wire_set_faults(bench.wire, PORT, &more);
	receive_from_peer(bench.wire, 200, 100);
	/* Those that are held still go at once. */
	xdplab_wire_set_faults(bench.wire, PORT, turned);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 200);
	/* And none after them waits for them. */
	receive_from_peer(bench.wire, 200, 50);
	AWAIT(ring_waiting_now(&bench.xsk.rx) == 250, "some are held for those before them");
	for (uint32_t i = 0; i < 250; i++) {
		payload = (const void *)(bench.umem.area + ring_descriptor(&bench.xsk.rx, i)->addr + TRAFFIC_HEADERS);
		CHECK_COUNT(payload->sequence, i % 100);
	}
	free_bench(&bench);
}

/* More than can be held back at once, which is a few thousand of these. */
static void no_frame_is_lost_for_being_late(void)
{
	const struct xdplab_wire_faults jitter = { .jitter_ns = 60 * NS_PER_SECOND }, none = { 0 };
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_link_statistics port;

	xdplab_wire_set_faults(wire, PORT, &jitter);
	receive_from_peer(wire, 1234, 10000);
	xdplab_wire_link_statistics(wire, PORT, &port);
	CHECK(port.rx_packets > 0 && port.rx_packets < 10000, "%llu came", (unsigned long long)port.rx_packets);
	xdplab_wire_set_faults(wire, PORT, &none);
	xdplab_wire_link_statistics(wire, PORT, &port);
	CHECK_COUNT(port.rx_packets, 10000);
	xdplab_wire_close(wire);
}

/* An echo request from one end's stack to the other's. */
static void write_request(uint8_t *frame, uint32_t length, uint32_t from)
{
	const uint8_t addresses[] = { 198, 18, 0, (uint8_t)(from + 1), 198, 18, 0, (uint8_t)(2 - from) };

	memset(frame, 0, length);
	memcpy(frame, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(2 - from) }, 6);
	memcpy(frame + 6, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(from + 1), 8, 0, 0x45 }, 9);
	frame[14 + 2] = (uint8_t)((length - 14) >> 8);
	frame[14 + 3] = (uint8_t)(length - 14);
	frame[14 + 9] = IPPROTO_ICMP;
	memcpy(frame + 14 + 12, addresses, sizeof(addresses));
	frame[14 + 20] = 8;
}

/* An answer that finds no room does not make room for itself: another request would go, whose answer... */
static void stacks_that_answer_each_other_late_come_to_an_end(void)
{
	enum { REQUESTS = 10000 };
	const struct xdplab_wire_faults jitter = { .jitter_ns = 60 * NS_PER_SECOND }, none = { 0 };
	const struct xdplab_traffic traffic = make_traffic(64, 0);
	struct xdplab_wire *wire = make_wire(1);
	struct xdplab_generator *generators[XDPLAB_WIRE_ENDS];
	struct xdplab_link_statistics ends[XDPLAB_WIRE_ENDS];
	uint8_t request[1400];
	const struct xdplab_replay replay = {
		.frames = request,
		.lengths = (uint32_t[]){ sizeof(request) },
		.times_ns = (uint64_t[]){ 0 },
		.count = 1,
		.repeat = REQUESTS,
	};

	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++) {
		xdplab_wire_set_faults(wire, end, &jitter);
		write_request(request, sizeof(request), end);
		generators[end] = xdplab_wire_generator_open(wire, end, &traffic, &replay, &bench_error);
		CHECK_WELL(generators[end]);
		CHECK_WELL(!xdplab_generator_start(generators[end], &bench_error));
	}
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++) {
		AWAIT(!xdplab_generator_running(generators[end]), "it goes on");
		xdplab_generator_close(generators[end]);
	}
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		xdplab_wire_set_faults(wire, end, &none);
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		xdplab_wire_link_statistics(wire, end, ends + end);
	/* Each request has arrived, and each answer, or it was dropped where it was made. */
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		CHECK_COUNT(ends[end].tx_packets + ends[end].tx_dropped, 2 * REQUESTS);
	CHECK(ends[PORT].tx_dropped + ends[PEER].tx_dropped, "all found room");
	xdplab_wire_close(wire);
}

static void *ping_once(void *wire)
{
	uint32_t sent, received;

	CHECK_COUNT(xdplab_wire_ping(wire, PEER, port_ipv4, AF_INET, 1, 0, 56, PATIENCE_NS, &sent, &received), 0);
	CHECK_COUNT(received, 1);
	return NULL;
}

static void look_for_pings(struct xdplab_wire *wire, void *any)
{
	*(bool *)any = wire->ends[PEER].pings;
}

/* The request of the one is late, and goes to make room for those of the other: its answer ends it there and then. */
static void a_stack_has_the_pings_of_several(void)
{
	const struct xdplab_wire_faults jitter = { .jitter_ns = 60 * NS_PER_SECOND };
	struct xdplab_wire *wire = make_wire(1);
	uint32_t sent, received;
	bool begun = false;
	pthread_t other;

	xdplab_wire_set_faults(wire, PORT, &jitter);
	pthread_create(&other, NULL, ping_once, wire);
	AWAIT((soft_call(wire, look_for_pings, &begun), begun), "it does not begin");
	CHECK_COUNT(xdplab_wire_ping(wire, PEER, port_ipv4, AF_INET, 1000, 0, 16000, 1, &sent, &received), 0);
	CHECK_COUNT(sent, 1000);
	CHECK(received && received < 1000, "%u were answered", received);
	pthread_join(other, NULL);
	xdplab_wire_close(wire);
}

static void a_paced_generator_keeps_its_pace_and_its_limit(void)
{
	struct xdplab_wire *wire = make_wire(2);
	struct xdplab_traffic traffic = make_traffic(64, 50);
	struct xdplab_queue_statistics queue;
	struct xdplab_generator *generator;
	const uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);

	traffic.stream.interval_ps = 1000000000;
	traffic.cpu = 1;
	generator = xdplab_wire_generator_open(wire, PEER, &traffic, NULL, &bench_error);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(!xdplab_generator_running(generator), "it goes on");
	CHECK(clock_ns(CLOCK_MONOTONIC) - began_ns > 48000000, "it came too soon");
	xdplab_wire_queue_statistics(wire, PORT, 1, &queue);
	CHECK_COUNT(queue.rx_xdp_packets, 50); /* its core's queue */
	xdplab_generator_set_size(generator, 14 + MTU + 1);
	xdplab_generator_set_interval(generator, 0);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(!xdplab_generator_running(generator), "it goes on");
	CHECK_COUNT(xdplab_generator_sent(generator), 100);
	CHECK_COUNT(xdplab_generator_too_long(generator), 50);
	xdplab_wire_queue_statistics(wire, PORT, 1, &queue);
	CHECK_COUNT(queue.rx_xdp_packets, 50);
	xdplab_generator_close(generator);
	xdplab_wire_close(wire);
}

static void a_generator_outlives_its_wire(void)
{
	struct xdplab_wire *wire = make_wire(1);
	const struct xdplab_traffic traffic = make_traffic(64, 0);
	struct xdplab_generator *generator = xdplab_wire_generator_open(wire, PEER, &traffic, NULL, &bench_error);

	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(xdplab_generator_sent(generator), "it does not begin");
	xdplab_wire_close(wire);
	CHECK(!xdplab_generator_running(generator), "it goes on");
	CHECK_COUNT(xdplab_generator_fault(generator), ENODEV);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	CHECK_COUNT(xdplab_generator_fault(generator), ENODEV);
	xdplab_generator_close(generator);
}

static void a_queue_and_an_interface_are_taken_once(void)
{
	struct bench bench = make_bench(64, 0, false);
	struct soft_socket_options options = { .wire = bench.wire, .ring_size = 64, .fill_ring_size = 64 };
	const struct program_options wanted = { .wire = bench.wire, .end = PORT };
	struct xsk xsk;
	struct xdp program;

	CHECK(!soft_socket_open(&options, &bench.umem, &xsk, &bench_error), "bound twice");
	CHECK_COUNT(bench_error.code, EBUSY);
	CHECK(xdp_soft.attach(&program, &wanted, &bench_error), "attached twice");
	CHECK_COUNT(bench_error.code, EBUSY);
	options.queue = 1;
	CHECK(!soft_socket_open(&options, &bench.umem, &xsk, &bench_error), "there is no queue 1");
	CHECK_COUNT(bench_error.code, EINVAL);
	options = (struct soft_socket_options){
		.wire = bench.wire, .end = PEER, .ring_size = 64, .fill_ring_size = 64, .bind_mode = XDPLAB_BIND_ZERO_COPY,
	};
	CHECK(!soft_socket_open(&options, &bench.umem, &xsk, &bench_error), "without a copy");
	CHECK_COUNT(bench_error.code, EOPNOTSUPP);
	xdplab_wire_cut(bench.wire);
	options.bind_mode = XDPLAB_BIND_AUTO;
	CHECK(!soft_socket_open(&options, &bench.umem, &xsk, &bench_error), "there is nothing left");
	CHECK_COUNT(bench_error.code, ENODEV);
	free_bench(&bench);
}

int main(void)
{
	a_stack_answers_for_its_own_addresses_alone();
	there_may_be_more_requests_than_numbers();
	its_packets_have_right_checksums();
	captured_frames_are_sent_as_they_are_and_not_before_their_time();
	an_interval_overrules_the_times_of_a_capture();
	what_is_late_arrives_whole_and_in_order_however_jitter_is_turned(&(struct xdplab_wire_faults){ 0 });
	what_is_late_arrives_whole_and_in_order_however_jitter_is_turned(&(struct xdplab_wire_faults){ .jitter_ns = 1 });
	no_frame_is_lost_for_being_late();
	stacks_that_answer_each_other_late_come_to_an_end();
	a_stack_has_the_pings_of_several();
	a_paced_generator_keeps_its_pace_and_its_limit();
	a_generator_outlives_its_wire();
	a_queue_and_an_interface_are_taken_once();
	return 0;
}
