/* SPDX-License-Identifier: Apache-2.0 */
#include "region/region.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/error.h"


/* A reader in another process maps the same bytes, so the layout may not depend on the compiler. */
#define ALIGNED(expression) static_assert((expression) % XDPLAB_CACHE_LINE == 0, #expression)
ALIGNED(sizeof(struct xdplab_header));
ALIGNED(sizeof(struct xdplab_control));
ALIGNED(sizeof(struct xdplab_ring_head));
ALIGNED(sizeof(struct xdplab_sample));
ALIGNED(offsetof(struct xdplab_worker_block, watch));
ALIGNED(offsetof(struct xdplab_worker_block, latency));
ALIGNED(offsetof(struct xdplab_worker_block, rings));
ALIGNED(offsetof(struct xdplab_worker_block, history_head));
ALIGNED(offsetof(struct xdplab_worker_block, history));
ALIGNED(offsetof(struct xdplab_worker_block, long_head));
ALIGNED(offsetof(struct xdplab_worker_block, long_history));
static_assert(sizeof(struct xdplab_counters) % sizeof(uint64_t) == 0, "copied by words");
static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "cffi sees plain words");

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

int region_create(struct xdplab_region *region, uint32_t workers, uint32_t sample_bytes,
		  uint64_t publish_interval_ns, struct xdplab_error *error)
{
	uint64_t sample_offset = round_up(sizeof(struct xdplab_worker_block), XDPLAB_CACHE_LINE);
	uint64_t sample_stride = sizeof(struct xdplab_sample) + round_up(sample_bytes, XDPLAB_CACHE_LINE);
	uint64_t worker_stride = sample_offset + sizeof(struct xdplab_ring_head) +
				 XDPLAB_SAMPLE_RECORDS * sample_stride;
	struct xdplab_header *header;

	region->size = sizeof(*header) + workers * worker_stride;
	region->descriptor = memfd_create("xdplab-telemetry", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (region->descriptor < 0 && errno == EINVAL) /* before Linux 6.3 */
		region->descriptor = memfd_create("xdplab-telemetry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (region->descriptor < 0)
		return fail(error, XDPLAB_STEP_MAKE_REGION, errno, "make the telemetry region");
	if (ftruncate(region->descriptor, (off_t)region->size))
		goto refused;
	/* Populated now, so that the worker never has a page fault. */
	header = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      region->descriptor, 0);
	if (header == MAP_FAILED)
		goto refused;
	region->mapping = header;
	if (fcntl(region->descriptor, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)) {
		munmap(header, region->size);
		goto refused;
	}
	region->header = (struct xdplab_header){
		.magic = XDPLAB_MAGIC,
		.abi_version = XDPLAB_ABI_VERSION,
		.region_size = region->size,
		.worker_offset = sizeof(*header),
		.worker_stride = worker_stride,
		.sample_offset = sample_offset,
		.sample_stride = sample_stride,
		.worker_count = workers,
		.sample_bytes = sample_bytes,
		.publish_interval_ns = publish_interval_ns,
		.monotonic_ns = clock_ns(CLOCK_MONOTONIC),
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.process_id = (uint32_t)getpid(),
	};
	*header = region->header;
	return 0;
refused:
	fail(error, XDPLAB_STEP_MAKE_REGION, errno, "make a telemetry region of %llu bytes",
	     (unsigned long long)region->size);
	close(region->descriptor);
	return -error->code;
}

void region_set_simulated(struct xdplab_region *region, bool simulated)
{
	struct xdplab_header *header = region->mapping;

	header->simulated = region->header.simulated = simulated;
}

void region_destroy(struct xdplab_region *region)
{
	munmap(region->mapping, region->size);
	close(region->descriptor);
}

struct xdplab_worker_block *region_worker(const struct xdplab_region *region, uint32_t worker)
{
	return (void *)((char *)region->mapping + region->header.worker_offset +
			worker * region->header.worker_stride);
}

struct xdplab_ring_head *region_sample_head(const struct xdplab_region *region, uint32_t worker)
{
	return (void *)((char *)region_worker(region, worker) + region->header.sample_offset);
}

struct xdplab_sample *region_sample(const struct xdplab_region *region, uint32_t worker, uint64_t number)
{
	return (void *)((char *)(region_sample_head(region, worker) + 1) +
			number % XDPLAB_SAMPLE_RECORDS * region->header.sample_stride);
}
