/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of what can happen to an AF_XDP socket, played to one of the kernel's or to a simulated one. What either
 * says afterwards is printed, a line a scenario, for tests/test_soft_scenarios.py to hold side by side:
 *
 *     soft_scenarios kernel INTERFACE PACKETS PROGRAM   a socket on the interface of that index, in this network
 *                                                       namespace; PACKETS is a descriptor of a packet socket, bound
 *                                                       to the other end; PROGRAM the compiled capture
 *     soft_scenarios soft
 */
#include <stdio.h>
#include <stdlib.h>

#include "soft_driver.h"

#define AREA ((uint64_t)FRAME_COUNT * FRAME_SIZE)

/* The table. */

static void nothing_happens(struct driver *driver)
{
	(void)driver;
}

static void one_arrives(struct driver *driver)
{
	receive(driver, 60, 1);
}

static void five_arrive(struct driver *driver)
{
	receive(driver, 60, 5);
}

static void fill_ring_is_filled_again(struct driver *driver)
{
	receive(driver, 60, 5);
	fill(driver, 100 * FRAME_SIZE);
	fill(driver, 101 * FRAME_SIZE);
	receive(driver, 60, 3);
}

static void as_many_as_the_rx_ring_holds(struct driver *driver)
{
	receive(driver, 60, RING);
}

static void rx_ring_is_full_and_stays_so(struct driver *driver)
{
	receive(driver, 60, RING + 1);
}

/* The frame after the full ring shows where the kernel is in the fill ring. */
static void one_more_than_the_rx_ring_holds(struct driver *driver)
{
	receive(driver, 60, RING + 1);
	take(driver, 1);
	receive(driver, 60, 1);
}

static void many_more_than_the_rx_ring_holds(struct driver *driver)
{
	receive(driver, 60, 3 * RING);
	take(driver, RING);
	receive(driver, 60, RING);
}

static void rx_ring_wraps_around(struct driver *driver)
{
	for (uint32_t i = 0; i < 4; i++) {
		receive(driver, 60, 5);
		take(driver, 5);
	}
	receive(driver, 60, 3);
}

static void sixty_five_arrive_at_once(struct driver *driver)
{
	receive_at_once(driver, 60, 65);
	take(driver, 1);
	receive(driver, 60, 1);
}

static void as_small_as_a_frame_can_be(struct driver *driver)
{
	receive(driver, 14, 2);
}

static void as_large_as_a_frame_holds(struct driver *driver)
{
	receive(driver, 1000, 2);
}

static void larger_than_a_frame_holds(struct driver *driver)
{
	receive(driver, 1001, 2);
	receive(driver, 60, 1);
}

static void fill_descriptor_beyond_the_umem(struct driver *driver)
{
	fill(driver, AREA);
	fill(driver, UINT64_MAX);
	fill(driver, 7 * FRAME_SIZE);
	receive(driver, 60, 2);
}

static void fill_descriptor_within_a_frame(struct driver *driver)
{
	fill(driver, 7 * FRAME_SIZE + 99);
	receive(driver, 60, 1);
}

static void fill_descriptor_at_the_umems_end(struct driver *driver)
{
	fill(driver, AREA - FRAME_SIZE + 1);
	fill(driver, AREA - FRAME_SIZE);
	receive(driver, 60, 2);
}

static void fill_descriptor_with_an_offset(struct driver *driver)
{
	fill(driver, 3ull << XSK_UNALIGNED_BUF_OFFSET_SHIFT | 4 * FRAME_SIZE);
	receive(driver, 60, 1);
}

static void fill_descriptor_comes_twice(struct driver *driver)
{
	fill(driver, 4 * FRAME_SIZE);
	fill(driver, 4 * FRAME_SIZE);
	receive(driver, 60, 3);
}

/* What comes in between is for the stack; and nothing of the one is left to the other. */
static void socket_is_closed_and_another_opened(struct driver *driver)
{
	receive(driver, 60, RING + 1);
	close_socket(driver);
	send_from_peer(driver, 60, 3);
	AWAIT(verdicts_of(&driver->bench).no_socket == 3, "it is not left to the stack");
	open_socket(driver);
	enter_socket(driver);
	receive(driver, 60, 2);
	put_valid(driver, 1);
	send_all(driver);
}

static void kick_of_an_empty_tx_ring(struct driver *driver)
{
	kick(driver);
	kick(driver);
	kick(driver);
}

static void descriptor_is_sent(struct driver *driver)
{
	const struct xdp_desc *descriptor = &driver->scenario->descriptor;

	put(driver, descriptor->addr, descriptor->len, descriptor->options);
	send_all(driver);
}

static void one_is_sent(struct driver *driver)
{
	put_valid(driver, 1);
	send_all(driver);
}

static void full_tx_ring(struct driver *driver)
{
	put_valid(driver, RING);
	send_all(driver);
}

static void sixty_five_are_sent(struct driver *driver)
{
	put_valid(driver, 65);
	send_all(driver);
}

static void tx_ring_wraps_around(struct driver *driver)
{
	for (uint32_t i = 0; i < 4; i++) {
		put_valid(driver, 5);
		send_all(driver);
		take_completions(driver);
	}
}

static void full_completion_ring(struct driver *driver)
{
	put_valid(driver, RING);
	send_all(driver);
	put_valid(driver, 2);
	kick(driver);
	kick(driver);
}

static void full_completion_ring_emptied(struct driver *driver)
{
	full_completion_ring(driver);
	take_completions(driver);
	send_all(driver);
}

static void tx_of_more_than_the_wire_takes(struct driver *driver)
{
	put(driver, 0, MTU + 14 + 4, 0);
	put(driver, 0, MTU + 14 + 5, 0);
	put_valid(driver, 1);
	send_all(driver);
}

static void tx_of_a_whole_frame(struct driver *driver)
{
	put_valid(driver, 1);
	put(driver, 0, FRAME_SIZE, 0);
	send_all(driver);
}

static void tx_up_to_the_umems_end(struct driver *driver)
{
	put(driver, AREA - 60, 60, 0);
	put(driver, AREA - 60, 61, 0);
	send_all(driver);
}

static void tx_with_an_offset(struct driver *driver)
{
	put(driver, 5ull << XSK_UNALIGNED_BUF_OFFSET_SHIFT | FRAME_SIZE, 60, 0);
	put(driver, 1ull << XSK_UNALIGNED_BUF_OFFSET_SHIFT | (AREA - 60), 60, 0);
	send_all(driver);
}

static void invalid_between_valid(struct driver *driver)
{
	put_valid(driver, 1);
	put(driver, 0, 0, 0);
	put_valid(driver, 1);
	send_all(driver);
}

static void invalid_at_the_end(struct driver *driver)
{
	put_valid(driver, 2);
	put(driver, 0, 0, 0);
	send_all(driver);
}

static void invalid_at_the_beginning(struct driver *driver)
{
	put(driver, 0, 0, 0);
	put_valid(driver, 2);
	send_all(driver);
}

static void several_invalid(struct driver *driver)
{
	put_valid(driver, 1);
	for (uint32_t i = 0; i < 3; i++)
		put(driver, 0, 0, 0);
	send_all(driver);
	put_valid(driver, 2);
	send_all(driver);
}

#define SCENARIO(function, ...) { .name = #function, .play = function, __VA_ARGS__ }
#define NAMED(title, function, ...) { .name = title, .play = function, __VA_ARGS__ }
#define SENDING(title, is_unaligned, ...) \
	{ .name = title, .play = descriptor_is_sent, .unaligned = is_unaligned, .descriptor = { __VA_ARGS__ } }

enum { NARROW = FRAME_SIZE - SOFT_XDP_HEADROOM - 1000 }; /* headroom, for packets of up to 1000 bytes */

static const struct scenario scenarios[] = {
	SCENARIO(nothing_happens, .fill_frames = 3),
	SCENARIO(one_arrives, .fill_frames = 32),
	NAMED("fill_ring_empty", five_arrive, .fill_frames = 0),
	NAMED("fill_ring_runs_out", five_arrive, .fill_frames = 3),
	SCENARIO(fill_ring_is_filled_again, .fill_frames = 3),
	SCENARIO(as_many_as_the_rx_ring_holds, .fill_frames = 32),
	SCENARIO(rx_ring_is_full_and_stays_so, .fill_frames = 32),
	SCENARIO(one_more_than_the_rx_ring_holds, .fill_frames = 32),
	SCENARIO(many_more_than_the_rx_ring_holds, .fill_frames = 32),
	NAMED("rx_ring_full_with_the_last_fill_descriptor", one_more_than_the_rx_ring_holds, .fill_frames = RING),
	NAMED("rx_ring_full_with_one_fill_descriptor_left", one_more_than_the_rx_ring_holds, .fill_frames = RING + 1),
	SCENARIO(rx_ring_wraps_around, .fill_frames = 32),
	SCENARIO(sixty_five_arrive_at_once, .fill_frames = 128, .ring_size = 128),
	NAMED("sixty_five_find_the_fill_ring_empty_at_once", sixty_five_arrive_at_once, .fill_frames = 3),
	NAMED("sixty_five_find_the_rx_ring_full_at_once", sixty_five_arrive_at_once, .fill_frames = 32),
	SCENARIO(as_small_as_a_frame_can_be, .fill_frames = 32),
	SCENARIO(as_large_as_a_frame_holds, .fill_frames = 32, .headroom = NARROW),
	NAMED("as_large_as_a_frame_holds_unaligned", as_large_as_a_frame_holds, .fill_frames = 32, .headroom = NARROW,
	      .unaligned = true),
	SCENARIO(larger_than_a_frame_holds, .fill_frames = 32, .headroom = NARROW),
	NAMED("larger_than_a_frame_holds_unaligned", larger_than_a_frame_holds, .fill_frames = 32, .headroom = NARROW,
	      .unaligned = true),
	SCENARIO(fill_descriptor_beyond_the_umem, .fill_frames = 0),
	NAMED("fill_descriptor_beyond_the_umem_unaligned", fill_descriptor_beyond_the_umem, .unaligned = true),
	SCENARIO(fill_descriptor_within_a_frame, .fill_frames = 0),
	NAMED("fill_descriptor_within_a_frame_unaligned", fill_descriptor_within_a_frame, .unaligned = true),
	SCENARIO(fill_descriptor_at_the_umems_end, .fill_frames = 0),
	NAMED("fill_descriptor_at_the_umems_end_unaligned", fill_descriptor_at_the_umems_end, .unaligned = true),
	NAMED("fill_descriptor_with_an_offset_unaligned", fill_descriptor_with_an_offset, .unaligned = true),
	SCENARIO(fill_descriptor_comes_twice, .fill_frames = 0),
	SCENARIO(socket_is_closed_and_another_opened, .fill_frames = 32),
	SCENARIO(kick_of_an_empty_tx_ring, .fill_frames = 0),
	SCENARIO(one_is_sent, .fill_frames = 0),
	SCENARIO(full_tx_ring, .fill_frames = 0),
	SCENARIO(sixty_five_are_sent, .fill_frames = 0, .ring_size = 128),
	SCENARIO(tx_ring_wraps_around, .fill_frames = 0),
	SCENARIO(full_completion_ring, .fill_frames = 0),
	SCENARIO(full_completion_ring_emptied, .fill_frames = 0),
	SENDING("tx_beyond_the_umem", false, AREA, 60),
	SENDING("tx_beyond_the_umem_unaligned", true, AREA, 60),
	SENDING("tx_far_beyond_the_umem", false, UINT64_MAX - 60, 60),
	SENDING("tx_far_beyond_the_umem_unaligned", true, UINT64_MAX - 60, 60),
	SENDING("tx_of_no_bytes", false, 0, 0),
	SENDING("tx_of_a_whole_frame_and_a_byte", false, 0, FRAME_SIZE + 1),
	SENDING("tx_of_a_whole_frame_and_a_byte_unaligned", true, 0, FRAME_SIZE + 1),
	SCENARIO(tx_of_more_than_the_wire_takes, .fill_frames = 0),
	SCENARIO(tx_of_a_whole_frame, .fill_frames = 0),
	SCENARIO(tx_up_to_the_umems_end, .fill_frames = 0),
	NAMED("tx_up_to_the_umems_end_unaligned", tx_up_to_the_umems_end, .unaligned = true),
	/* Linux 6.18 completes an odd address without its lowest bit, which it uses for itself. */
	SENDING("tx_within_a_frame", false, 3 * FRAME_SIZE + 1002, 60),
	SENDING("tx_across_frames", false, FRAME_SIZE - 20, 60),
	SENDING("tx_across_frames_unaligned", true, FRAME_SIZE - 20, 60),
	SENDING("tx_across_the_umems_end", false, AREA - 20, 60),
	SENDING("tx_across_the_umems_end_unaligned", true, AREA - 20, 60),
	SENDING("tx_with_unknown_options", false, 0, 60, 1 << 15),
	NAMED("tx_with_an_offset_unaligned", tx_with_an_offset, .unaligned = true),
	SCENARIO(invalid_between_valid, .fill_frames = 0),
	SCENARIO(invalid_at_the_end, .fill_frames = 0),
	SCENARIO(invalid_at_the_beginning, .fill_frames = 0),
	SCENARIO(several_invalid, .fill_frames = 0),
};

static void print_outcome(struct driver *driver, const char *name)
{
	const struct xdplab_verdicts verdicts = verdicts_of(&driver->bench);
	const struct xdp_statistics found = statistics(driver);
	struct xsk *xsk = &driver->bench.xsk;

	printf("%s: rx_dropped=%llu rx_invalid_descs=%llu tx_invalid_descs=%llu rx_ring_full=%llu "
	       "rx_fill_ring_empty_descs=%llu tx_ring_empty_descs=%llu",
	       name, (unsigned long long)found.rx_dropped, (unsigned long long)found.rx_invalid_descs,
	       (unsigned long long)found.tx_invalid_descs, (unsigned long long)found.rx_ring_full,
	       (unsigned long long)found.rx_fill_ring_empty_descs, (unsigned long long)found.tx_ring_empty_descs);
	printf(" redirected=%llu no_socket=%llu", (unsigned long long)verdicts.redirected,
	       (unsigned long long)verdicts.no_socket);
	printf(" fill_needs_wakeup=%d", ring_needs_wakeup(&xsk->fill));
	printf(" fill_consumer=%llu rx_producer=%llu tx_consumer=%llu completion_producer=%llu received=",
	       (unsigned long long)ring_consumer_position(&xsk->fill),
	       (unsigned long long)ring_producer_position(&xsk->rx), (unsigned long long)taken(driver),
	       (unsigned long long)completed(driver));
	for (uint32_t i = 0; i < ring_waiting_now(&xsk->rx); i++) {
		const struct xdp_desc *descriptor = ring_descriptor(&xsk->rx, xsk->rx.own + i);

		printf("%s%llx:%u:%u", i ? "," : "", (unsigned long long)descriptor->addr, descriptor->len,
		       descriptor->options);
	}
	printf(" completed=");
	for (uint32_t i = 0; i < ring_waiting_now(&xsk->completion); i++)
		printf("%s%llx", i ? "," : "",
		       (unsigned long long)*ring_address(&xsk->completion, xsk->completion.own + i));
	putchar('\n');
}

int main(int count, char **arguments)
{
	struct side side = { .kernel = count == 5 && !strcmp(arguments[1], "kernel") };

	CHECK(side.kernel || (count == 2 && !strcmp(arguments[1], "soft")), "unknown arguments");
	if (side.kernel) {
		side.interface_index = (uint32_t)atoi(arguments[2]);
		side.packets = atoi(arguments[3]);
		side.program = arguments[4];
	}
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		struct driver driver = { .side = &side, .scenario = scenarios + i };

		open_driver(&driver);
		scenarios[i].play(&driver);
		/* When all has come to its end. */
		AWAIT(ring_needs_wakeup(&driver.bench.xsk.tx), "no kick is asked for");
		print_outcome(&driver, scenarios[i].name);
		close_driver(&driver);
	}
	return 0;
}
