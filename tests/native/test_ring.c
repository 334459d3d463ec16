/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring: what each end may know, around the places where its 32-bit counters begin anew.
 */
#include "xsk/ring.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#include "check.h"

enum { SIZE = 8, ROUNDS = 100 };

/* What the kernel and we would share. */
struct shared {
	_Atomic uint32_t producer;
	_Atomic uint32_t consumer;
	_Atomic uint32_t flags;
	struct xdp_desc entries[SIZE];
};

/* Around 0, where 32 bits are used up, and where they are for the second time. */
static const uint64_t starts[] = { 0, UINT32_MAX - 11ull, UINT32_MAX, (2ull << 32) - 3 };

static struct ring end_of(struct shared *shared, uint64_t start)
{
	return (struct ring){
		.producer = &shared->producer,
		.consumer = &shared->consumer,
		.flags = &shared->flags,
		.entries = shared->entries,
		.size = SIZE,
		.mask = SIZE - 1,
		.own = start,
		.other = start,
	};
}

static void begin(struct shared *shared, uint64_t start)
{
	atomic_init(&shared->producer, (uint32_t)start);
	atomic_init(&shared->consumer, (uint32_t)start);
	atomic_init(&shared->flags, 0);
}

static void empty_has_nothing_and_full_has_no_room(uint64_t start)
{
	struct shared shared;
	struct ring producer = end_of(&shared, start), consumer = end_of(&shared, start);

	begin(&shared, start);
	CHECK(ring_waiting(&consumer) == 0, "from %" PRIu64 ": %u", start, ring_waiting(&consumer));
	CHECK(ring_free(&producer, SIZE) == SIZE, "from %" PRIu64 ": %u", start, ring_free(&producer, SIZE));
	ring_submit(&producer, SIZE);
	CHECK(ring_free(&producer, 1) == 0, "from %" PRIu64 ": %u", start, ring_free(&producer, 1));
	CHECK(ring_waiting(&consumer) == SIZE, "from %" PRIu64 ": %u", start, ring_waiting(&consumer));
	ring_release(&consumer, SIZE);
	CHECK(ring_waiting(&consumer) == 0, "from %" PRIu64 ": %u", start, ring_waiting(&consumer));
	CHECK(ring_free(&producer, 1) == SIZE, "from %" PRIu64 ": %u", start, ring_free(&producer, 1));
}

/* Three at a time, which does not divide the ring's size. */
static void entries_come_out_as_they_went_in(uint64_t start)
{
	struct shared shared;
	struct ring producer = end_of(&shared, start), consumer = end_of(&shared, start);
	uint64_t sent = 0, taken = 0;

	begin(&shared, start);
	for (int round = 0; round < ROUNDS; round++) {
		CHECK(ring_free(&producer, 3) >= 3, "round %d from %" PRIu64, round, start);
		for (int i = 0; i < 3; i++)
			*ring_descriptor(&producer, producer.own + (uint64_t)i) =
				(struct xdp_desc){ .addr = sent++, .len = 60 };
		ring_submit(&producer, 3);
		CHECK(ring_waiting(&consumer) == 3, "round %d from %" PRIu64, round, start);
		for (int i = 0; i < 3; i++) {
			const struct xdp_desc *entry = ring_descriptor(&consumer, consumer.own + (uint64_t)i);

			CHECK(entry->addr == taken, "round %d from %" PRIu64 ": %" PRIu64 " for %" PRIu64, round,
			      start, (uint64_t)entry->addr, taken);
			taken++;
		}
		ring_release(&consumer, 3);
	}
}

/* Looking may pull a cache line from another core, so an end looks only when it knows of nothing to do. */
static void an_end_looks_only_when_it_has_to(uint64_t start)
{
	struct shared shared;
	struct ring producer = end_of(&shared, start), consumer = end_of(&shared, start);

	begin(&shared, start);
	ring_submit(&producer, 2);
	CHECK(ring_waiting(&consumer) == 2, "%u", ring_waiting(&consumer));
	ring_submit(&producer, 5);
	ring_release(&consumer, 1);
	CHECK(ring_waiting(&consumer) == 1, "looked too early: %u", ring_waiting(&consumer));
	ring_release(&consumer, 1);
	CHECK(ring_waiting(&consumer) == 5, "did not look: %u", ring_waiting(&consumer));

	CHECK(ring_free(&producer, 1) == 1, "looked too early: %u", ring_free(&producer, 1));
	CHECK(ring_free(&producer, 2) == 3, "did not look: %u", ring_free(&producer, 2));
}

static void positions_for_telemetry_never_wrap(uint64_t start)
{
	struct shared shared;
	struct ring producer = end_of(&shared, start), consumer = end_of(&shared, start);

	begin(&shared, start);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		ring_submit(&producer, 5);
		CHECK(ring_producer_position(&consumer) == start + 5 * round, "%" PRIu64 " in round %" PRIu64,
		      ring_producer_position(&consumer), round);
		CHECK(ring_consumer_position(&producer) == start + 5 * (round - 1), "%" PRIu64 " in round %" PRIu64,
		      ring_consumer_position(&producer), round);
		CHECK(consumer.other == start + 5 * (round - 1), "the cached copy was touched: %" PRIu64,
		      consumer.other);
		CHECK(ring_waiting(&consumer) == 5, "%u", ring_waiting(&consumer));
		ring_release(&consumer, 5);
		CHECK(ring_consumer_position(&producer) == start + 5 * round, "%" PRIu64 " in round %" PRIu64,
		      ring_consumer_position(&producer), round);
		CHECK(ring_free(&producer, SIZE) == SIZE, "%u", ring_free(&producer, SIZE));
	}
}

static void the_wakeup_flag_is_one_bit(void)
{
	struct shared shared;
	struct ring ring = end_of(&shared, 0);

	begin(&shared, 0);
	CHECK(!ring_needs_wakeup(&ring), "it is not set");
	atomic_store(&shared.flags, XDP_RING_NEED_WAKEUP);
	CHECK(ring_needs_wakeup(&ring), "it is set");
	atomic_store(&shared.flags, ~(uint32_t)XDP_RING_NEED_WAKEUP);
	CHECK(!ring_needs_wakeup(&ring), "only others are set");
}

/* Addresses on a ring of their own, since fill and completion ring have entries of another size. */
enum { STREAM = 4000000 / SLOWNESS, STREAM_SIZE = 256 };

struct stream {
	_Atomic uint32_t producer;
	_Atomic uint32_t consumer;
	uint64_t entries[STREAM_SIZE];
};

static struct ring stream_end(struct stream *stream, uint64_t start)
{
	return (struct ring){
		.producer = &stream->producer,
		.consumer = &stream->consumer,
		.entries = stream->entries,
		.size = STREAM_SIZE,
		.mask = STREAM_SIZE - 1,
		.own = start,
		.other = start,
	};
}

static void *produce(void *argument)
{
	struct ring *ring = argument;
	uint64_t number = 0;

	for (uint32_t want = 1; number < STREAM; want = want % 64 + 1) {
		uint32_t room = ring_free(ring, want);

		if (!room)
			sched_yield();
		if (room > want)
			room = want;
		if (room > STREAM - number)
			room = (uint32_t)(STREAM - number);
		for (uint32_t i = 0; i < room; i++)
			*ring_address(ring, ring->own + i) = number++;
		ring_submit(ring, room);
	}
	return NULL;
}

static void two_threads_pass_numbers_in_order(void)
{
	/* The counters wrap half way. */
	const uint64_t start = (1ull << 32) - STREAM / 2;
	struct stream stream;
	struct ring producer = stream_end(&stream, start), consumer = stream_end(&stream, start);
	pthread_t thread;
	uint64_t number = 0;

	atomic_init(&stream.producer, (uint32_t)start);
	atomic_init(&stream.consumer, (uint32_t)start);
	pthread_create(&thread, NULL, produce, &producer);
	while (number < STREAM) {
		uint32_t count = ring_waiting(&consumer);

		if (!count)
			sched_yield();
		for (uint32_t i = 0; i < count; i++) {
			uint64_t entry = *ring_address(&consumer, consumer.own + i);

			CHECK(entry == number, "%" PRIu64 " came for %" PRIu64, entry, number);
			number++;
		}
		ring_release(&consumer, count);
	}
	pthread_join(thread, NULL);
	CHECK(ring_waiting(&consumer) == 0, "%u more than were sent", ring_waiting(&consumer));
}

int main(void)
{
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		empty_has_nothing_and_full_has_no_room(starts[i]);
		entries_come_out_as_they_went_in(starts[i]);
		an_end_looks_only_when_it_has_to(starts[i]);
		positions_for_telemetry_never_wrap(starts[i]);
	}
	the_wakeup_flag_is_one_bit();
	two_threads_pass_numbers_in_order();
	return 0;
}
