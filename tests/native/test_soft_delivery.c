/* SPDX-License-Identifier: Apache-2.0
 *
 * What arrives at a simulated interface: whole and in order where there is room, and lost for the kernel's reasons,
 * each counted where the kernel counts it, where there is none.
 */
#include <stddef.h>

#include "soft_bench.h"
#include "include/traffic.h"

static const struct traffic_payload *payload_at(const struct bench *bench, uint64_t position)
{
	const uint64_t address = ring_descriptor(&bench->xsk.rx, position)->addr;
	const uint64_t place = (address & XSK_UNALIGNED_BUF_ADDR_MASK) + (address >> XSK_UNALIGNED_BUF_OFFSET_SHIFT);

	return (const void *)(bench->umem.area + place + TRAFFIC_HEADERS);
}

static void frames_arrive_whole_and_in_order(uint32_t size, bool unaligned)
{
	struct bench bench = make_bench(64, FRAME_COUNT, unaligned);
	uint8_t zeros[MTU] = { 0 };

	receive_from_peer(bench.wire, size, 64);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 64);
	for (uint32_t i = 0; i < 64; i++) {
		const struct traffic_payload *payload = payload_at(&bench, i);

		CHECK_COUNT(ring_descriptor(&bench.xsk.rx, i)->len, size);
		CHECK_COUNT(payload->magic, TRAFFIC_MAGIC);
		CHECK_COUNT(payload->sequence, i);
		CHECK(!memcmp(payload + 1, zeros, size - TRAFFIC_SMALLEST), "frame %u ends in something else", i);
	}
	CHECK_COUNT(verdicts_of(&bench).redirected, 64);
	free_bench(&bench);
}

static void what_finds_no_fill_descriptor_is_dropped_and_counted_twice(void)
{
	struct bench bench = make_bench(64, 3, false);

	receive_from_peer(bench.wire, 64, 10);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 3);
	CHECK_COUNT(statistics_of(&bench).rx_dropped, 7);
	CHECK_COUNT(statistics_of(&bench).rx_fill_ring_empty_descs, 7);
	CHECK_COUNT(statistics_of(&bench).rx_ring_full, 0);
	CHECK_COUNT(verdicts_of(&bench).redirected, 10);
	free_bench(&bench);
}

static void what_finds_the_rx_ring_full_takes_one_fill_descriptor_and_keeps_it(void)
{
	struct bench bench = make_bench(8, 32, false);

	receive_from_peer(bench.wire, 64, 100);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 8);
	CHECK_COUNT(statistics_of(&bench).rx_ring_full, 92);
	CHECK_COUNT(statistics_of(&bench).rx_dropped, 0);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.fill), 9);
	ring_release(&bench.xsk.rx, 8);
	receive_from_peer(bench.wire, 64, 8);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 8);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.fill), 16);
	free_bench(&bench);
}

static void what_is_larger_than_a_frame_is_dropped(void)
{
	struct bench bench = make_bench(8, 8, false);
	const struct umem narrow = make_umem(FRAME_SIZE - SOFT_XDP_HEADROOM - 100, false);
	const struct soft_socket_options options = {
		.wire = bench.wire,
		.ring_size = 8,
		.fill_ring_size = 8,
		.fill_frames = 8,
	};

	soft_socket_close(bench.socket);
	umem_free(&bench.umem);
	bench.umem = narrow;
	bench.socket = soft_socket_open(&options, &bench.umem, &bench.xsk, &bench_error);
	CHECK_WELL(bench.socket);
	soft_socket_enter(bench.socket);
	receive_from_peer(bench.wire, 100, 1);
	receive_from_peer(bench.wire, 101, 5);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 1);
	CHECK_COUNT(statistics_of(&bench).rx_dropped, 5);
	CHECK_COUNT(statistics_of(&bench).rx_fill_ring_empty_descs, 0);
	free_bench(&bench);
}

static void an_invalid_fill_descriptor_is_skipped(bool unaligned)
{
	struct bench bench = make_bench(8, 0, unaligned);

	*ring_address(&bench.xsk.fill, 0) = (uint64_t)FRAME_SIZE * FRAME_COUNT;
	*ring_address(&bench.xsk.fill, 1) = UINT64_MAX;
	/* Unaligned, the upper bits are an offset, which is not looked at. */
	*ring_address(&bench.xsk.fill, 2) = unaligned ? 1ull << 48 | 5 * FRAME_SIZE : 5 * FRAME_SIZE + 77;
	ring_submit(&bench.xsk.fill, 3);
	receive_from_peer(bench.wire, 64, 2);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 1);
	CHECK_COUNT(ring_descriptor(&bench.xsk.rx, 0)->addr & 0xffffffff,
		    unaligned ? 5 * FRAME_SIZE : 5 * FRAME_SIZE + SOFT_XDP_HEADROOM);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.fill), 3);
	CHECK_COUNT(statistics_of(&bench).rx_fill_ring_empty_descs, 1);
	free_bench(&bench);
}

static void housekeeping_and_what_comes_to_other_queues_is_left_to_the_stack(void)
{
	struct xdplab_traffic traffic = make_traffic(64, 10);
	struct bench bench = make_bench(64, 64, false);
	struct xdplab_generator *generator;

	memcpy(traffic.stream.headers + 12, (uint8_t[]){ 0x08, 0x06 }, 2); /* ARP */
	generator = xdplab_wire_generator_open(bench.wire, PEER, &traffic, NULL, &bench_error);
	CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
	AWAIT(!xdplab_generator_running(generator), "it goes on");
	xdplab_generator_close(generator);
	CHECK_COUNT(verdicts_of(&bench).passed, 10);
	CHECK_COUNT(verdicts_of(&bench).redirected, 0);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 0);
	/* Without a socket in the program's map. */
	soft_socket_close(bench.socket);
	receive_from_peer(bench.wire, 64, 10);
	CHECK_COUNT(verdicts_of(&bench).no_socket, 10);
	CHECK_COUNT(verdicts_of(&bench).redirected, 0);
	free_program(&bench.program);
	umem_free(&bench.umem);
	xdplab_wire_close(bench.wire);
}

static void every_frame_is_accounted_for(void)
{
	const struct xdplab_wire_faults faults = { .ring_full_every = 5, .no_fill_every = 7 };
	struct bench bench = make_bench(256, FRAME_COUNT, false);
	struct xdplab_link_statistics port, peer;
	struct xdplab_queue_statistics queue;

	xdplab_wire_set_faults(bench.wire, PORT, &faults);
	receive_from_peer(bench.wire, 64, 70);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.rx), 70 - 10 - 12);
	CHECK_COUNT(statistics_of(&bench).rx_dropped, 10);
	CHECK_COUNT(statistics_of(&bench).rx_fill_ring_empty_descs, 10);
	CHECK_COUNT(statistics_of(&bench).rx_ring_full, 12); /* every fifth, but two that found no fill descriptor */
	xdplab_wire_link_statistics(bench.wire, PORT, &port);
	xdplab_wire_link_statistics(bench.wire, PEER, &peer);
	xdplab_wire_queue_statistics(bench.wire, PORT, 0, &queue);
	CHECK_COUNT(port.rx_packets, 70);
	CHECK_COUNT(port.rx_dropped, 22);
	CHECK_COUNT(peer.tx_packets, 70);
	CHECK_COUNT(peer.tx_bytes, 70 * 64);
	CHECK_COUNT(queue.rx_xdp_packets, 70);
	CHECK_COUNT(queue.rx_xdp_redirect, 48);
	CHECK_COUNT(queue.rx_drops, 22);
	xdplab_wire_queue_statistics(bench.wire, PEER, 0, &queue);
	CHECK_COUNT(queue.tx_xdp_xmit, 70);
	free_bench(&bench);
}

int main(void)
{
	frames_arrive_whole_and_in_order(60, false);
	frames_arrive_whole_and_in_order(64, false);
	frames_arrive_whole_and_in_order(1514, false);
	frames_arrive_whole_and_in_order(1000, true);
	what_finds_no_fill_descriptor_is_dropped_and_counted_twice();
	what_finds_the_rx_ring_full_takes_one_fill_descriptor_and_keeps_it();
	what_is_larger_than_a_frame_is_dropped();
	an_invalid_fill_descriptor_is_skipped(false);
	an_invalid_fill_descriptor_is_skipped(true);
	housekeeping_and_what_comes_to_other_queues_is_left_to_the_stack();
	every_frame_is_accounted_for();
	return 0;
}
