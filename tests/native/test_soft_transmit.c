/* SPDX-License-Identifier: Apache-2.0
 *
 * What a simulated socket sends: descriptors are checked as the kernel checks them, and each frame that is taken is
 * completed once.
 */
#include "soft_bench.h"

enum { RING = 64 };

static uint64_t received_by_peer(const struct bench *bench)
{
	struct xdplab_link_statistics peer;

	xdplab_wire_link_statistics(bench->wire, PEER, &peer);
	return peer.rx_packets;
}

static void a_full_ring_is_sent_and_completed_in_order_again_and_again(void)
{
	struct bench bench = make_bench(RING, 0, false);

	for (uint32_t round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < RING; i++)
			put_descriptor(&bench, (round * RING + i) % FRAME_COUNT * FRAME_SIZE, 60, 0);
		kick_once(&bench);
		CHECK_COUNT(ring_consumer_position(&bench.xsk.tx), (round + 1) * RING);
		CHECK_COUNT(ring_waiting_now(&bench.xsk.completion), RING);
		for (uint64_t i = 0; i < RING; i++)
			CHECK_COUNT(*ring_address(&bench.xsk.completion, bench.xsk.completion.own + i),
				    (round * RING + i) % FRAME_COUNT * FRAME_SIZE);
		ring_release(&bench.xsk.completion, RING);
	}
	CHECK_COUNT(received_by_peer(&bench), 5 * RING);
	CHECK_COUNT(statistics_of(&bench).tx_ring_empty_descs, 5);
	free_bench(&bench);
}

static void an_invalid_descriptor_is_counted_and_completed_and_not_sent(bool unaligned)
{
	const uint64_t end = (uint64_t)FRAME_SIZE * FRAME_COUNT;
	const struct xdp_desc invalid[] = {
		{ .addr = end, .len = 60 },
		{ .addr = UINT64_MAX, .len = 60 },
		{ .addr = 0, .len = 0 },
		{ .addr = 0, .len = FRAME_SIZE + 1 },
		{ .addr = end - 10, .len = 60 },
		{ .addr = 0, .len = 60, .options = 1 << 15 },
	};
	const uint32_t count = sizeof(invalid) / sizeof(*invalid);
	struct bench bench = make_bench(RING, 0, unaligned);

	for (uint32_t i = 0; i < count; i++) {
		put_descriptor(&bench, invalid[i].addr, invalid[i].len, invalid[i].options);
		put_descriptor(&bench, FRAME_SIZE, 60, 0);
	}
	/* From one frame into the next, which unaligned ones may. */
	put_descriptor(&bench, FRAME_SIZE - 10, 60, 0);
	kick_once(&bench);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.tx), 2 * count + 1);
	CHECK_COUNT(statistics_of(&bench).tx_invalid_descs, unaligned ? count : count + 1);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.completion), 2 * count + 1);
	CHECK_COUNT(received_by_peer(&bench), unaligned ? count + 1 : count);
	free_bench(&bench);
}

static void what_is_longer_than_the_interface_takes_is_completed_and_dropped(void)
{
	struct bench bench = make_bench(RING, 0, false);
	struct xdplab_link_statistics port;

	put_descriptor(&bench, 0, MTU + 14 + 4, 0);
	put_descriptor(&bench, 0, MTU + 14 + 5, 0);
	kick_once(&bench);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.completion), 2);
	CHECK_COUNT(received_by_peer(&bench), 1);
	xdplab_wire_link_statistics(bench.wire, PORT, &port);
	CHECK_COUNT(port.tx_dropped, 1);
	free_bench(&bench);
}

static void without_room_for_its_completion_a_frame_waits(void)
{
	struct bench bench = make_bench(RING, 0, false);

	for (uint64_t i = 0; i < RING; i++)
		put_descriptor(&bench, i * FRAME_SIZE, 60, 0);
	kick_once(&bench);
	put_descriptor(&bench, 0, 60, 0);
	kick_once(&bench);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.tx), RING);
	CHECK(wire_sleeps(&bench), "it waits awake");
	CHECK_COUNT(ring_waiting_now(&bench.xsk.completion), RING);
	ring_release(&bench.xsk.completion, 1);
	kick_once(&bench);
	CHECK_COUNT(ring_consumer_position(&bench.xsk.tx), RING + 1);
	free_bench(&bench);
}

static void what_a_fault_takes_for_invalid_is_completed_and_not_sent(void)
{
	const struct xdplab_wire_faults faults = { .bad_descriptor_every = 4 };
	struct bench bench = make_bench(RING, 0, false);

	xdplab_wire_set_faults(bench.wire, PORT, &faults);
	for (uint64_t i = 0; i < RING; i++)
		put_descriptor(&bench, i * FRAME_SIZE, 60, 0);
	kick_once(&bench);
	CHECK_COUNT(statistics_of(&bench).tx_invalid_descs, RING / 4);
	CHECK_COUNT(ring_waiting_now(&bench.xsk.completion), RING);
	CHECK_COUNT(received_by_peer(&bench), RING - RING / 4);
	free_bench(&bench);
}

static void two_ends_send_to_each_other(void)
{
	struct bench bench = make_bench(RING, RING, false);
	const struct soft_socket_options options = {
		.wire = bench.wire,
		.end = PEER,
		.ring_size = RING,
		.fill_ring_size = RING,
	};
	struct umem umem = make_umem(0, false);
	struct xsk xsk;
	struct soft_socket *peer = soft_socket_open(&options, &umem, &xsk, &bench_error);

	CHECK_WELL(peer);
	memset(umem.area + 5 * FRAME_SIZE, 0x5a, 60);
	*ring_descriptor(&xsk.tx, 0) = (struct xdp_desc){ .addr = 5 * FRAME_SIZE, .len = 60 };
	ring_submit(&xsk.tx, 1);
	soft_socket_kicks(peer);
	soft_ring_bell(bench.wire);
	AWAIT(ring_waiting_now(&bench.xsk.rx), "it does not arrive");
	CHECK(!memcmp(bench.umem.area + ring_descriptor(&bench.xsk.rx, 0)->addr, umem.area + 5 * FRAME_SIZE, 60),
	      "it is another");
	soft_socket_close(peer);
	umem_free(&umem);
	free_bench(&bench);
}

int main(void)
{
	a_full_ring_is_sent_and_completed_in_order_again_and_again();
	an_invalid_descriptor_is_counted_and_completed_and_not_sent(false);
	an_invalid_descriptor_is_counted_and_completed_and_not_sent(true);
	what_is_longer_than_the_interface_takes_is_completed_and_dropped();
	without_room_for_its_completion_a_frame_waits();
	what_a_fault_takes_for_invalid_is_completed_and_not_sent();
	two_ends_send_to_each_other();
	return 0;
}
