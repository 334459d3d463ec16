/* SPDX-License-Identifier: Apache-2.0
 *
 * The latency histogram: where its buckets begin, and that what it is told falls in the right one.
 */
#include "base/histogram.h"

#include <inttypes.h>

#include "check.h"
#include "include/reader.h"

#define END (1ull << 34) /* from here on all is one bucket, the last */

static const uint32_t last = XDPLAB_LATENCY_BUCKETS - 1;

static uint64_t bucket_end(uint32_t bucket)
{
	return bucket == last ? END : histogram_bucket_start(bucket + 1);
}

static void buckets_follow_each_other_without_gap(void)
{
	for (uint32_t bucket = 0; bucket <= last; bucket++) {
		const uint64_t start = histogram_bucket_start(bucket), end = bucket_end(bucket);

		CHECK(end > start, "bucket %u: %" PRIu64 " to %" PRIu64, bucket, start, end);
		CHECK(histogram_bucket(start) == bucket, "the start of %u falls in %u", bucket,
		      histogram_bucket(start));
		CHECK(histogram_bucket(end - 1) == bucket, "the end of %u falls in %u", bucket,
		      histogram_bucket(end - 1));
		CHECK(xdplab_latency_bucket_start(bucket) == start, "Python is told %" PRIu64 " for %" PRIu64,
		      xdplab_latency_bucket_start(bucket), start);
	}
	CHECK(histogram_bucket_start(0) == 0, "%" PRIu64, histogram_bucket_start(0));
}

static void a_bucket_is_narrower_than_a_128th_of_its_start(void)
{
	for (uint32_t bucket = 0; bucket <= last; bucket++) {
		const uint64_t start = histogram_bucket_start(bucket), width = bucket_end(bucket) - start;

		CHECK(width == 1 || width * 128 <= start, "bucket %u from %" PRIu64 ": %" PRIu64 " wide", bucket,
		      start, width);
	}
}

static void longer_never_falls_in_an_earlier_bucket(void)
{
	uint32_t before = 0;

	for (uint64_t ns = 0; ns < 4 * END; ns += 1 + ns / 1000) {
		CHECK(histogram_bucket(ns) >= before, "%" PRIu64 " ns falls in %u, after %u", ns,
		      histogram_bucket(ns), before);
		before = histogram_bucket(ns);
	}
}

static void what_is_too_long_counts_in_the_last_bucket(void)
{
	static const uint64_t longs[] = { END - 1, END, END + 1, 1ull << 63, UINT64_MAX };

	for (size_t i = 0; i < sizeof(longs) / sizeof(*longs); i++)
		CHECK(histogram_bucket(longs[i]) == last, "%" PRIu64 " falls in %u", longs[i],
		      histogram_bucket(longs[i]));
}

static void each_time_counts_once(void)
{
	static _Atomic uint64_t buckets[XDPLAB_LATENCY_BUCKETS];
	uint64_t added = 0, counted = 0;

	for (uint64_t ns = 1; ns; ns <<= 1, added++)
		histogram_add(buckets, ns);
	for (uint32_t bucket = 0; bucket <= last; bucket++)
		counted += atomic_load(buckets + bucket);
	CHECK(counted == added, "%" PRIu64 " of %" PRIu64, counted, added);
	CHECK(atomic_load(buckets + last) == 64 - 34, "%" PRIu64, atomic_load(buckets + last));
}

int main(void)
{
	buckets_follow_each_other_without_gap();
	a_bucket_is_narrower_than_a_128th_of_its_start();
	longer_never_falls_in_an_earlier_bucket();
	what_is_too_long_counts_in_the_last_bucket();
	each_time_counts_once();
	return 0;
}
