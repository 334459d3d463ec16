/* SPDX-License-Identifier: Apache-2.0
 *
 * Records under their sequence number: a reader has a record whole, or knows that it has not.
 */
#include "base/seqlock.h"

#include <inttypes.h>
#include <pthread.h>

#include "check.h"
#include "include/telemetry.h"

enum { WORDS = 64, WRITES = 2000000 / SLOWNESS };

struct record {
	_Atomic uint64_t sequence;
	uint64_t words[WORDS];
};

static void publish(struct record *record, uint64_t number)
{
	uint64_t words[WORDS];

	for (size_t i = 0; i < WORDS; i++)
		words[i] = number;
	seqlock_begin(&record->sequence, number);
	seqlock_write(record->words, words, sizeof(words));
	seqlock_end(&record->sequence, number);
}

static void a_reader_gets_the_content_it_asked_for_or_none(void)
{
	struct record record = { 0 };
	uint64_t copy[1 + WORDS];

	CHECK(!seqlock_read(copy, &record, 0, sizeof(copy)), "nothing was written yet");
	publish(&record, 0);
	CHECK(seqlock_read(copy, &record, 0, sizeof(copy)), "it was written");
	CHECK(copy[0] == 2 && copy[WORDS] == 0, "sequence %" PRIu64 ", content %" PRIu64, copy[0], copy[WORDS]);
	publish(&record, 7);
	CHECK(!seqlock_read(copy, &record, 0, sizeof(copy)), "it was overwritten");
	CHECK(!seqlock_read(copy, &record, 8, sizeof(copy)), "it is still to come");
	CHECK(seqlock_read(copy, &record, 7, sizeof(copy)) && copy[1] == 7, "content %" PRIu64, copy[1]);
	seqlock_begin(&record.sequence, 8);
	CHECK(!seqlock_read(copy, &record, 7, sizeof(copy)), "it is being overwritten");
	CHECK(!seqlock_read(copy, &record, 8, sizeof(copy)), "it is not whole");
}

/* A frame lies wherever the kernel put it. */
static void bytes_are_copied_from_any_address(void)
{
	char from[3 * sizeof(uint64_t)];
	uint64_t to[2];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (char)i;
	for (size_t shift = 0; shift < sizeof(uint64_t); shift++) {
		seqlock_write(to, from + shift, sizeof(to));
		CHECK(!memcmp(to, from + shift, sizeof(to)), "from an address %zu off", shift);
	}
}

/* One record, again and again, is the most a reader can be disturbed. */
static void *write_on_and_on(void *argument)
{
	for (uint64_t number = 1; number <= WRITES; number++)
		publish(argument, number);
	return NULL;
}

static void a_reader_beside_a_writer_sees_whole_records_only(void)
{
	struct record record = { 0 };
	uint64_t copy[1 + WORDS], number = 0, whole = 0, disturbed = 0;
	pthread_t writer;

	publish(&record, 0);
	pthread_create(&writer, NULL, write_on_and_on, &record);
	while (number < WRITES) {
		number = atomic_load_explicit(&record.sequence, memory_order_relaxed);
		if (number % 2) {
			disturbed++;
			continue;
		}
		number = number / 2 - 1;
		if (!seqlock_read(copy, &record, number, sizeof(copy))) {
			disturbed++;
			continue;
		}
		whole++;
		for (size_t i = 1; i <= WORDS; i++)
			CHECK(copy[i] == number, "word %zu of record %" PRIu64 " is of record %" PRIu64, i, number,
			      copy[i]);
	}
	pthread_join(writer, NULL);
	printf("%" PRIu64 " whole, %" PRIu64 " disturbed\n", whole, disturbed);
}

int main(void)
{
	a_reader_gets_the_content_it_asked_for_or_none();
	bytes_are_copied_from_any_address();
	a_reader_beside_a_writer_sees_whole_records_only();
	return 0;
}
