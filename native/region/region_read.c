/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading side of the region. It trusts the header no further than the file's own size, since the
 * descriptor may come from another process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/seqlock.h"
#include "include/reader.h"
#include "region/region.h"

/* Attempts to read the rings before the reader gets -EAGAIN. */
enum { RINGS_TRIES = 1000 };
/* A clock base above it makes no sense; below, a sum of two clocks can't wrap. */
#define LATEST_NS (1ull << 62)

/* Sizes are bounded first, so that none of the sums and products that follow can wrap. */
static bool plausible(const struct xdplab_header *header, uint64_t size)
{
	return header->magic == XDPLAB_MAGIC && header->abi_version == XDPLAB_ABI_VERSION &&
	       header->region_size == size && header->worker_offset == sizeof(*header) &&
	       header->sample_offset < size && header->sample_offset >= sizeof(struct xdplab_worker_block) &&
	       header->sample_stride < size / XDPLAB_SAMPLE_RECORDS && header->sample_bytes <= XDPLAB_LARGEST_SAMPLE &&
	       header->sample_stride >= sizeof(struct xdplab_sample) + header->sample_bytes &&
	       header->sample_offset % XDPLAB_CACHE_LINE == 0 && header->sample_stride % XDPLAB_CACHE_LINE == 0 &&
	       header->worker_stride == header->sample_offset + sizeof(struct xdplab_ring_head) +
						XDPLAB_SAMPLE_RECORDS * header->sample_stride &&
	       header->worker_count == (size - sizeof(*header)) / header->worker_stride && header->worker_count &&
	       header->monotonic_ns < LATEST_NS && header->realtime_ns < LATEST_NS && header->publish_interval_ns &&
	       header->publish_interval_ns <= 3600 * NS_PER_SECOND;
}

/* Whether no page of the mapping can disappear, which would kill the reader: neither at the end, by truncation, nor in
 * the middle. A hole punched in ordinary memory reads as zeros; in huge pages there may be no page left to fill it. */
static bool stays_whole(int descriptor)
{
	const int seals = fcntl(descriptor, F_GET_SEALS);
	struct statfs place;

	return seals >= 0 && seals & F_SEAL_SHRINK && !fstatfs(descriptor, &place) && place.f_type == TMPFS_MAGIC;
}

struct xdplab_region *xdplab_region_map(int descriptor, struct xdplab_error *error)
{
	struct xdplab_region *region = NULL;
	struct xdplab_header header;
	void *mapping;
	struct stat status;
	uint64_t size;

	if (fstat(descriptor, &status)) {
		fail(error, XDPLAB_STEP_MAKE_REGION, errno, "read descriptor %d", descriptor);
		return NULL;
	}
	size = (uint64_t)status.st_size;
	if (size < sizeof(header) || !stays_whole(descriptor)) {
		fail(error, XDPLAB_STEP_MAKE_REGION, EPROTO, "find a telemetry region in descriptor %d",
		     descriptor);
		return NULL;
	}
	mapping = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
	if (mapping == MAP_FAILED) {
		fail(error, XDPLAB_STEP_MAKE_REGION, errno, "map descriptor %d", descriptor);
		return NULL;
	}
	memcpy(&header, mapping, sizeof(header));
	if (!plausible(&header, size)) {
		fail(error, XDPLAB_STEP_MAKE_REGION, EPROTO,
		     "read descriptor %d as a telemetry region of version %d", descriptor, XDPLAB_ABI_VERSION);
	} else {
		region = calloc(1, sizeof(*region));
		if (region) {
			*region = (struct xdplab_region){
				.header = header,
				.mapping = mapping,
				.size = size,
				.descriptor = -1,
			};
			return region;
		}
		fail(error, XDPLAB_STEP_MAKE_REGION, ENOMEM, "map descriptor %d", descriptor);
	}
	munmap(mapping, size);
	return NULL;
}

void xdplab_region_unmap(struct xdplab_region *region)
{
	munmap(region->mapping, region->size);
	free(region);
}

const struct xdplab_header *xdplab_region_header(const struct xdplab_region *region)
{
	return &region->header;
}

const struct xdplab_control *xdplab_region_control(const struct xdplab_region *region, uint32_t worker)
{
	return &region_worker(region, worker)->control;
}

uint64_t xdplab_inside_handler(const struct xdplab_region *region, uint32_t worker)
{
	return atomic_load_explicit(&region_worker(region, worker)->watch.handler_ns, memory_order_relaxed);
}

/* Relaxed: only the worker depends on the order in which knobs were set. */
uint64_t xdplab_load(const uint64_t *word)
{
	return atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_relaxed);
}

/* Release: a worker that sees a requested step also sees the pace that was set before. */
void xdplab_store(uint64_t *word, uint64_t value)
{
	atomic_store_explicit((_Atomic uint64_t *)word, value, memory_order_release);
}

/* Acquire: makes the records below this number visible. */
static uint64_t written(const struct xdplab_ring_head *head)
{
	return atomic_load_explicit(&head->written, memory_order_acquire);
}

uint64_t xdplab_history_written(const struct xdplab_region *region, uint32_t worker)
{
	return written(&region_worker(region, worker)->history_head);
}

uint64_t xdplab_long_history_written(const struct xdplab_region *region, uint32_t worker)
{
	return written(&region_worker(region, worker)->long_head);
}

uint64_t xdplab_samples_written(const struct xdplab_region *region, uint32_t worker)
{
	return written(region_sample_head(region, worker));
}

/* The number to begin with: `from`, or the oldest record that the ring still holds. */
static uint64_t oldest(uint64_t from, uint64_t end, uint64_t capacity)
{
	uint64_t first = end > capacity ? end - capacity : 0;

	return from > first ? from : first;
}

static uint32_t read_records(const struct xdplab_ring_head *head, const struct xdplab_record *ring, uint64_t capacity,
			     uint64_t from, struct xdplab_record *records, uint32_t limit, uint64_t *next)
{
	uint64_t end = written(head);
	uint64_t number = oldest(from, end, capacity);
	uint32_t count = 0;

	for (; number < end && count < limit; number++)
		count += seqlock_read(records + count, ring + number % capacity, number, sizeof(*records));
	*next = number;
	return count;
}

uint32_t xdplab_read_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     struct xdplab_record *records, uint32_t limit, uint64_t *next)
{
	const struct xdplab_worker_block *block = region_worker(region, worker);

	return read_records(&block->history_head, block->history, XDPLAB_HISTORY_RECORDS, from, records, limit, next);
}

uint32_t xdplab_read_long_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
				  struct xdplab_record *records, uint32_t limit, uint64_t *next)
{
	const struct xdplab_worker_block *block = region_worker(region, worker);

	return read_records(&block->long_head, block->long_history, XDPLAB_LONG_RECORDS, from, records, limit, next);
}

int xdplab_read_rings(const struct xdplab_region *region, uint32_t worker, struct xdplab_rings *rings)
{
	const struct xdplab_rings *shared = &region_worker(region, worker)->rings;

	/* A limited number of tries, since a writer that was killed leaves them half-written for good. */
	for (int i = 0; i < RINGS_TRIES; i++) {
		const uint64_t sequence = atomic_load_explicit(&shared->sequence, memory_order_acquire);

		if (!sequence)
			return 0;
		if (sequence % 2 == 0 && seqlock_read(rings, shared, sequence / 2 - 1, sizeof(*rings)))
			return 1;
	}
	return -EAGAIN;
}

uint32_t xdplab_read_samples(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     void *records, uint32_t limit, uint64_t *next)
{
	uint64_t end = written(region_sample_head(region, worker));
	uint64_t number = oldest(from, end, XDPLAB_SAMPLE_RECORDS);
	uint64_t stride = region->header.sample_stride;
	uint32_t count = 0;

	for (; number < end && count < limit; number++)
		count += seqlock_read((char *)records + count * stride, region_sample(region, worker, number),
				      number, stride);
	*next = number;
	return count;
}

void xdplab_read_latency(const struct xdplab_region *region, uint32_t worker, uint64_t *buckets)
{
	const struct xdplab_worker_block *block = region_worker(region, worker);

	for (uint32_t i = 0; i < XDPLAB_LATENCY_BUCKETS; i++)
		buckets[i] = atomic_load_explicit(block->latency + i, memory_order_relaxed);
}

uint64_t xdplab_latency_bucket_start(uint32_t bucket)
{
	return histogram_bucket_start(bucket);
}
