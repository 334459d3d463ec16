/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking into frames: which become samples, and what the numbers and times in them are taken to say.
 */
#include "worker/sample.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "base/clock.h"
#include "include/traffic.h"

enum { FRAMES = 256, CHUNK = 2048, LENGTH = 64, SAMPLE_BYTES = 128 };

static uint8_t area[FRAMES * CHUNK];
static struct path path = { .area = area };
static struct xdp_desc frames[FRAMES];

static struct worker begin(struct xdplab_region *region)
{
	struct xdplab_error error;

	CHECK(!region_create(region, 1, SAMPLE_BYTES, 10000000, &error), "%s: %s", error.tried,
	      strerror(error.code));
	return (struct worker){ .rx = &path, .region = region, .block = region_worker(region, 0), .queue = 3 };
}

/* As bpf/generate.bpf.c writes it. */
static void make_frame(uint32_t place, uint64_t sequence, uint64_t time_ns)
{
	const struct traffic_payload payload = { .magic = TRAFFIC_MAGIC, .sequence = sequence, .time_ns = time_ns };
	uint8_t *bytes = area + place * CHUNK + 256;

	frames[place] = (struct xdp_desc){ .addr = (uint64_t)(bytes - area), .len = LENGTH };
	memset(bytes, 0, LENGTH);
	bytes[12] = 0x08; /* IPv4 */
	bytes[23] = 17;	  /* UDP */
	bytes[37] = TRAFFIC_PORT;
	memcpy(bytes + TRAFFIC_HEADERS, &payload, sizeof(payload));
}

static void receive(struct worker *worker, const struct sampling *sampling, uint32_t count)
{
	sample_batch(worker, sampling, frames, count);
	worker->counters.rx_packets += count;
}

static const struct xdplab_sample *sample_of(const struct worker *worker, uint64_t number)
{
	return region_sample(worker->region, 0, number);
}

static uint64_t measured(const struct worker *worker)
{
	uint64_t total = 0;

	for (uint32_t bucket = 0; bucket < XDPLAB_LATENCY_BUCKETS; bucket++)
		total += atomic_load(worker->block->latency + bucket);
	return total;
}

static void one_frame_in_so_many_is_kept_however_they_come(uint32_t batch, bool inspect)
{
	const struct sampling sampling = { .every = 10, .inspect = inspect };
	struct xdplab_region region;
	struct worker worker = begin(&region);

	for (uint32_t place = 0; place < batch; place++)
		make_frame(place, place, 0);
	while (worker.counters.rx_packets < 1000)
		receive(&worker, &sampling, batch);
	CHECK(worker.counters.samples == (worker.counters.rx_packets + 9) / 10, "%" PRIu64 " of %" PRIu64,
	      worker.counters.samples, worker.counters.rx_packets);
	for (uint64_t number = 0; number < worker.counters.samples; number++)
		CHECK(sample_of(&worker, number)->frame == 10 * number, "sample %" PRIu64 " is frame %" PRIu64, number,
		      sample_of(&worker, number)->frame);
	region_destroy(&region);
}

static void a_sample_is_the_beginning_of_its_frame(void)
{
	const struct sampling sampling = { .every = 1, .verdict = XDPLAB_VERDICT_DROP };
	struct xdplab_region region;
	struct worker worker = begin(&region);
	const struct xdplab_sample *whole, *cut;

	make_frame(0, 0, 42);
	make_frame(1, 1, 0);
	memset(area + frames[1].addr + LENGTH, 0xaa, SAMPLE_BYTES);
	frames[1].len = SAMPLE_BYTES + 1;
	receive(&worker, &sampling, 2);
	whole = sample_of(&worker, 0);
	cut = sample_of(&worker, 1);
	CHECK(whole->length == LENGTH && whole->captured == LENGTH, "%u of %u", whole->captured, whole->length);
	CHECK(whole->sent_ns == 42 && whole->queue == 3, "%" PRIu64 " on %u", whole->sent_ns, whole->queue);
	CHECK(!memcmp(whole + 1, area + frames[0].addr, LENGTH), "other bytes");
	CHECK(cut->length == SAMPLE_BYTES + 1 && cut->captured == SAMPLE_BYTES, "%u of %u", cut->captured, cut->length);
	CHECK(!memcmp(cut + 1, area + frames[1].addr, SAMPLE_BYTES), "other bytes");
	region_destroy(&region);
}

static void nothing_is_kept_or_measured_unasked(void)
{
	const struct sampling sampling = { 0 };
	struct xdplab_region region;
	struct worker worker = begin(&region);

	make_frame(0, 0, 0);
	receive(&worker, &sampling, 1);
	CHECK(!worker.counters.samples && !measured(&worker) && !worker.counters.stream_frames, "it was");
	region_destroy(&region);
}

static void skipped_numbers_are_missing(void)
{
	const struct sampling sampling = { .inspect = true };
	struct xdplab_region region;
	struct worker worker = begin(&region);
	const uint64_t numbers[] = { 0, 1, 2, 5, 6, 10 }; /* without 3, 4, 7, 8 and 9 */

	for (uint32_t place = 0; place < 6; place++)
		make_frame(place, numbers[place], 0);
	receive(&worker, &sampling, 6);
	CHECK(worker.counters.stream_frames == 6 && worker.counters.stream_missing == 5, "%" PRIu64 " of %" PRIu64,
	      worker.counters.stream_missing, worker.counters.stream_frames);
	CHECK(!worker.counters.stream_late, "%" PRIu64 " late", worker.counters.stream_late);
	CHECK(measured(&worker) == 6, "%" PRIu64 " measured", measured(&worker));
	region_destroy(&region);
}

/* A clock that seems to run backwards is no latency of centuries. */
static void a_time_to_come_counts_as_none(void)
{
	const struct sampling sampling = { .inspect = true };
	struct xdplab_region region;
	struct worker worker = begin(&region);

	make_frame(0, 0, clock_ns(CLOCK_MONOTONIC) + NS_PER_SECOND);
	receive(&worker, &sampling, 1);
	CHECK(atomic_load(worker.block->latency) == 1, "it fell elsewhere");
	region_destroy(&region);
}

static void frames_of_others_are_left_alone(void)
{
	static const uint8_t places[] = { 12, 23, 36, 37, TRAFFIC_HEADERS };
	const struct sampling sampling = { .inspect = true };
	struct xdplab_region region;
	struct worker worker = begin(&region);

	for (uint32_t place = 0; place < sizeof(places); place++) {
		make_frame(place, 0, 0);
		area[frames[place].addr + places[place]] ^= 1;
	}
	make_frame(5, 0, 0);
	frames[5].len = TRAFFIC_SMALLEST - 1;
	receive(&worker, &sampling, 6);
	CHECK(!worker.counters.stream_frames && !measured(&worker), "%" PRIu64 " were taken for ours",
	      worker.counters.stream_frames);
	region_destroy(&region);
}

/* As a UDP socket hands it over: which generator it is from does not show. */
static void a_payload_without_headers_is_known_by_its_beginning(void)
{
	const struct sampling sampling = { .every = 1, .inspect = true };
	const uint64_t numbers[] = { 7, 8, 10, 9, 0, 1 }; /* 9 comes late; then another generator's */
	const uint64_t times_ns[] = { 100, 200, 400, 300, 500, 600 };
	struct xdplab_region region;
	struct worker worker = begin(&region);

	path.bare = true;
	for (uint32_t place = 0; place < 6; place++) {
		make_frame(place, numbers[place], times_ns[place]);
		frames[place].addr += TRAFFIC_HEADERS;
		frames[place].len = sizeof(struct traffic_payload);
	}
	receive(&worker, &sampling, 6);
	CHECK(worker.counters.stream_frames == 6 && worker.counters.stream_missing == 1, "%" PRIu64 " missing",
	      worker.counters.stream_missing);
	CHECK(worker.counters.stream_late == 1, "%" PRIu64 " late", worker.counters.stream_late);
	CHECK(measured(&worker) == 6, "%" PRIu64 " measured", measured(&worker));
	CHECK(sample_of(&worker, 0)->flags == XDPLAB_SAMPLE_PAYLOAD && sample_of(&worker, 0)->sent_ns == 100,
	      "sent at %" PRIu64, sample_of(&worker, 0)->sent_ns);
	frames[0].len--;
	area[frames[1].addr] ^= 1;
	receive(&worker, &sampling, 2);
	CHECK(worker.counters.stream_frames == 6, "a short one or another's was taken for ours");
	path.bare = false;
	region_destroy(&region);
}

int main(void)
{
	static const uint32_t batches[] = { 1, 7, 10, 64, FRAMES };

	for (size_t i = 0; i < sizeof(batches) / sizeof(*batches); i++) {
		one_frame_in_so_many_is_kept_however_they_come(batches[i], false);
		one_frame_in_so_many_is_kept_however_they_come(batches[i], true);
	}
	a_sample_is_the_beginning_of_its_frame();
	nothing_is_kept_or_measured_unasked();
	skipped_numbers_are_missing();
	a_time_to_come_counts_as_none();
	frames_of_others_are_left_alone();
	a_payload_without_headers_is_known_by_its_beginning();
	return 0;
}
