/* SPDX-License-Identifier: Apache-2.0
 *
 * The telemetry region: sealed, read whole from another thread and another process, and nothing else taken
 * for one.
 */
#include "region/region.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "base/seqlock.h"
#include "include/reader.h"

enum { SAMPLE_BYTES = 100, INTERVAL_NS = 10000000, RECORDS = 5 * XDPLAB_HISTORY_RECORDS / (SLOWNESS > 1 ? 4 : 1) };

/* A record is its sequence and so many words. */
#define RECORD_WORDS (sizeof(struct xdplab_counters) / sizeof(uint64_t))

static struct xdplab_region create(uint32_t workers)
{
	struct xdplab_region region;
	struct xdplab_error error;

	CHECK(!region_create(&region, workers, SAMPLE_BYTES, INTERVAL_NS, &error), "%s: %s", error.tried,
	      strerror(error.code));
	return region;
}

static struct xdplab_region *map(int descriptor)
{
	struct xdplab_error error;
	struct xdplab_region *region = xdplab_region_map(descriptor, &error);

	CHECK(region, "%s: %s", error.tried, strerror(error.code));
	return region;
}

/* As publish.c and sample.c do it, with contents that a torn copy would betray. */
static void write_record(const struct xdplab_region *region, uint32_t worker, uint64_t number)
{
	struct xdplab_worker_block *block = region_worker(region, worker);
	struct xdplab_record *record = block->history + number % XDPLAB_HISTORY_RECORDS;
	uint64_t words[RECORD_WORDS];

	for (size_t i = 0; i < RECORD_WORDS; i++)
		words[i] = number;
	seqlock_begin(&record->sequence, number);
	seqlock_write(&record->counters, words, sizeof(words));
	seqlock_end(&record->sequence, number);
	atomic_store_explicit(&block->history_head.written, number + 1, memory_order_release);
}

static void write_sample(const struct xdplab_region *region, uint32_t worker, uint64_t number)
{
	struct xdplab_ring_head *head = region_sample_head(region, worker);
	struct xdplab_sample *sample = region_sample(region, worker, number);
	uint64_t words[(sizeof(*sample) + SAMPLE_BYTES) / sizeof(uint64_t) - 1];

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		words[i] = number;
	seqlock_begin(&sample->sequence, number);
	seqlock_write(&sample->time_ns, words, sizeof(words));
	seqlock_end(&sample->sequence, number);
	atomic_store_explicit(&head->written, number + 1, memory_order_release);
}

/* The number of the record, of which every word must be. */
static uint64_t number_of(const struct xdplab_record *record)
{
	const uint64_t *words = (const uint64_t *)&record->counters;
	const uint64_t number = atomic_load(&record->sequence) / 2 - 1;

	for (size_t i = 0; i < RECORD_WORDS; i++)
		CHECK(words[i] == number, "word %zu of record %" PRIu64 " is of record %" PRIu64, i, number, words[i]);
	return number;
}

/* Reads on until the last record was seen; returns how many were. */
static uint64_t follow_history(const struct xdplab_region *region, uint64_t last)
{
	struct xdplab_record records[64];
	uint64_t next = 0, expected = 0, seen = 0;

	while (expected <= last) {
		uint32_t count = xdplab_read_history(region, 0, next, records, 64, &next);

		for (uint32_t i = 0; i < count; i++, seen++) {
			uint64_t number = number_of(records + i);

			CHECK(number >= expected, "%" PRIu64 " came after %" PRIu64, number, expected - 1);
			expected = number + 1;
		}
		CHECK(next >= expected, "it would read %" PRIu64 " again", next);
	}
	return seen;
}

static void nobody_can_resize_rewrite_or_unseal_it(void)
{
	struct xdplab_region region = create(1);
	char path[64];
	int again;
	void *mapping;

	CHECK(ftruncate(region.descriptor, 4096) && errno == EPERM, "it was cut short");
	CHECK(ftruncate(region.descriptor, (off_t)region.size + 4096) && errno == EPERM, "it was made longer");
	CHECK(fcntl(region.descriptor, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM, "it took another seal");
	CHECK(write(region.descriptor, "x", 1) < 0 && errno == EPERM, "it was written to");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", region.descriptor);
	again = open(path, O_RDWR | O_CLOEXEC);
	CHECK(again >= 0, "%s: %s", path, strerror(errno));
	mapping = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	CHECK(mapping == MAP_FAILED && errno == EPERM, "it was mapped writable again");
	mapping = mmap(NULL, region.size, PROT_READ, MAP_SHARED, again, 0);
	CHECK(mapping != MAP_FAILED, "%s", strerror(errno));
	CHECK(mprotect(mapping, region.size, PROT_READ | PROT_WRITE) && errno == EACCES, "a mapping became writable");
	munmap(mapping, region.size);
	close(again);
	CHECK(fcntl(region.descriptor, F_GETFD) & FD_CLOEXEC, "a program started from here would inherit it");
	region_destroy(&region);
}

static void check_inside(const struct xdplab_region *region, const void *block, uint64_t bytes, const char *name)
{
	const uint64_t offset = (uint64_t)((const char *)block - (const char *)region->mapping);

	CHECK(offset <= region->size && bytes <= region->size - offset,
	      "%s at %" PRIu64 ", %" PRIu64 " long, of %" PRIu64, name, offset, bytes, region->size);
	CHECK(offset % sizeof(uint64_t) == 0, "%s at %" PRIu64, name, offset);
}

static void check_layout(const struct xdplab_region *region)
{
	const uint32_t workers[] = { 0, region->header.worker_count - 1 };
	const uint64_t stride = region->header.sample_stride;

	for (size_t i = 0; region->header.worker_count && i < 2; i++) {
		check_inside(region, region_worker(region, workers[i]), sizeof(struct xdplab_worker_block), "worker");
		check_inside(region, region_sample_head(region, workers[i]), sizeof(struct xdplab_ring_head), "head");
		for (uint64_t number = 0; number < XDPLAB_SAMPLE_RECORDS; number++)
			check_inside(region, region_sample(region, workers[i], number), stride, "sample");
	}
}

static void blocks_lie_apart_and_inside(void)
{
	struct xdplab_region region = create(3);

	check_layout(&region);
	for (uint32_t worker = 0; worker < 3; worker++) {
		write_record(&region, worker, worker);
		write_sample(&region, worker, XDPLAB_SAMPLE_RECORDS - 1);
	}
	for (uint32_t worker = 0; worker < 3; worker++)
		CHECK(number_of(region_worker(&region, worker)->history + worker) == worker,
		      "record %u of worker %u was overwritten", worker, worker);
	region_destroy(&region);
}

static void only_what_the_ring_still_holds_is_read(void)
{
	static struct xdplab_record records[XDPLAB_HISTORY_RECORDS];
	struct xdplab_region region = create(1);
	struct xdplab_region *reader = map(region.descriptor);
	uint64_t next;
	uint32_t count;

	CHECK(xdplab_read_history(reader, 0, 0, records, 10, &next) == 0 && next == 0, "next is %" PRIu64, next);
	for (uint64_t number = 0; number < XDPLAB_HISTORY_RECORDS + 10; number++)
		write_record(&region, 0, number);
	CHECK(xdplab_history_written(reader, 0) == XDPLAB_HISTORY_RECORDS + 10, "%" PRIu64,
	      xdplab_history_written(reader, 0));
	count = xdplab_read_history(reader, 0, 3, records, XDPLAB_HISTORY_RECORDS, &next);
	CHECK(count == XDPLAB_HISTORY_RECORDS && number_of(records) == 10, "%u from %" PRIu64 " on", count,
	      number_of(records));
	count = xdplab_read_history(reader, 0, 20, records, 5, &next);
	CHECK(count == 5 && next == 25 && number_of(records + 4) == 24, "%u, then %" PRIu64, count, next);
	count = xdplab_read_history(reader, 0, next + XDPLAB_HISTORY_RECORDS, records, 5, &next);
	CHECK(count == 0, "%u from the future", count);
	xdplab_region_unmap(reader);
	region_destroy(&region);
}

static void samples_come_with_their_bytes(void)
{
	struct xdplab_region region = create(1);
	struct xdplab_region *reader = map(region.descriptor);
	const uint64_t stride = region.header.sample_stride;
	char *samples = calloc(2, stride);
	uint64_t next, word;

	write_sample(&region, 0, 0);
	write_sample(&region, 0, 1);
	CHECK(xdplab_read_samples(reader, 0, 0, samples, 2, &next) == 2 && next == 2, "next is %" PRIu64, next);
	memcpy(&word, samples + stride + sizeof(struct xdplab_sample), sizeof(word));
	CHECK(word == 1, "the second sample's first bytes are %" PRIu64, word);
	free(samples);
	xdplab_region_unmap(reader);
	region_destroy(&region);
}

static void *write_history(void *argument)
{
	for (uint64_t number = 0; number < RECORDS; number++)
		write_record(argument, 0, number);
	return NULL;
}

static void another_thread_reads_whole_records(void)
{
	struct xdplab_region region = create(1);
	struct xdplab_region *reader = map(region.descriptor);
	pthread_t writer;

	pthread_create(&writer, NULL, write_history, &region);
	printf("%" PRIu64 " of %d read by a thread\n", follow_history(reader, RECORDS - 1), RECORDS);
	pthread_join(writer, NULL);
	xdplab_region_unmap(reader);
	region_destroy(&region);
}

static void another_process_reads_whole_records(void)
{
	struct xdplab_region region = create(1);
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "%s", strerror(errno));
	if (!child) {
		struct xdplab_region *reader = map(region.descriptor);

		printf("%" PRIu64 " of %d read by a process\n", follow_history(reader, RECORDS - 1), RECORDS);
		xdplab_region_unmap(reader);
		exit(0);
	}
	write_history(&region);
	waitpid(child, &status, 0);
	CHECK(status == 0, "the reader ended with %d", status);
	region_destroy(&region);
}

/* A memfd that says of itself what it likes. */
static int forge(const struct xdplab_header *header, uint64_t size, int seals)
{
	int descriptor = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(descriptor >= 0, "%s", strerror(errno));
	CHECK(!ftruncate(descriptor, (off_t)size), "%s", strerror(errno));
	if (size >= sizeof(*header))
		CHECK(write(descriptor, header, sizeof(*header)) == sizeof(*header), "%s", strerror(errno));
	CHECK(!fcntl(descriptor, F_ADD_SEALS, seals), "%s", strerror(errno));
	return descriptor;
}

/* Refused, or harmless. */
static bool is_taken(int descriptor)
{
	struct xdplab_error error = { 0 };
	struct xdplab_region *region = xdplab_region_map(descriptor, &error);

	if (region) {
		check_layout(region);
		xdplab_region_unmap(region);
	} else {
		CHECK(error.code > 0 && *error.tried, "it was refused without a word");
	}
	return region;
}

static bool forgery_is_taken(const struct xdplab_header *header, uint64_t size)
{
	int descriptor = forge(header, size, F_SEAL_SHRINK | F_SEAL_GROW);
	bool taken = is_taken(descriptor);

	close(descriptor);
	return taken;
}

static void nothing_else_is_taken_for_a_region(const struct xdplab_header *real)
{
	struct xdplab_header other = *real;
	int ends[2];

	CHECK(forgery_is_taken(real, real->region_size), "a true copy");
	CHECK(!is_taken(-1), "no descriptor");
	CHECK(!pipe(ends) && !is_taken(ends[0]), "a pipe");
	close(ends[0]);
	close(ends[1]);
	CHECK(!forgery_is_taken(real, 0), "an empty file");
	CHECK(!forgery_is_taken(real, sizeof(*real) - 1), "less than a header");
	CHECK(!forgery_is_taken(real, sizeof(*real)), "a header and no more");
	CHECK(!forgery_is_taken(real, real->region_size - 1), "one byte too few");
	CHECK(!forgery_is_taken(real, real->region_size + 4096), "one page too many");
	other.magic++;
	CHECK(!forgery_is_taken(&other, real->region_size), "another magic");
	other.magic--;
	other.abi_version++;
	CHECK(!forgery_is_taken(&other, real->region_size), "another version");
}

/* A mapping that is cut short kills who reads it. */
static void a_file_that_can_still_be_cut_short_is_refused(const struct xdplab_header *real)
{
	int descriptor = forge(real, real->region_size, 0);

	CHECK(!is_taken(descriptor), "it is not sealed");
	close(descriptor);
}

/* Every word of the header, each with what could lead a reader astray. */
static void no_header_leads_outside(const struct xdplab_header *real)
{
	uint64_t words[sizeof(*real) / sizeof(uint64_t)];
	struct xdplab_header forged;

	for (size_t word = 0; word < sizeof(words) / sizeof(*words); word++)
		for (unsigned int bit = 0; bit < 64; bit++)
			for (int how = 0; how < 5; how++) {
				memcpy(words, real, sizeof(words));
				words[word] = how == 0 ? words[word] ^ 1ull << bit :
					      how == 1 ? words[word] + (1ull << bit) :
					      how == 2 ? words[word] - (1ull << bit) :
					      how == 3 ? 1ull << bit :
							 (1ull << bit) - 1;
				memcpy(&forged, words, sizeof(words));
				forgery_is_taken(&forged, real->region_size);
			}
}

/* Strides whose sums and products come out right, since they wrap. */
static void no_arithmetic_leads_outside(const struct xdplab_header *real)
{
	for (unsigned int bit = 0; bit < 64; bit++)
		for (int how = 0; how < 4; how++) {
			struct xdplab_header forged = *real;

			if (how == 0)
				forged.sample_stride += 1ull << bit;
			else if (how == 1)
				forged.sample_offset += 1ull << bit;
			else if (how == 2)
				forged.sample_offset -= 1ull << bit;
			else
				forged.sample_stride -= 1ull << bit;
			forged.worker_stride = forged.sample_offset + sizeof(struct xdplab_ring_head) +
					       XDPLAB_SAMPLE_RECORDS * forged.sample_stride;
			if (!forged.worker_stride)
				continue;
			forged.worker_count = (uint32_t)((real->region_size - sizeof(*real)) / forged.worker_stride);
			forgery_is_taken(&forged, real->region_size);
		}
}

int main(void)
{
	struct xdplab_region region = create(2);
	const struct xdplab_header real = region.header;

	region_destroy(&region);
	another_process_reads_whole_records(); /* first, while there is but one thread to fork */
	another_thread_reads_whole_records();
	nobody_can_resize_rewrite_or_unseal_it();
	blocks_lie_apart_and_inside();
	only_what_the_ring_still_holds_is_read();
	samples_come_with_their_bytes();
	nothing_else_is_taken_for_a_region(&real);
	no_header_leads_outside(&real);
	no_arithmetic_leads_outside(&real);
	a_file_that_can_still_be_cut_short_is_refused(&real);
	return 0;
}
