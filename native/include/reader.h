/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading side of the telemetry region, for any process: map, read, unmap (region/region_read.c).
 */
#ifndef XDPLAB_INCLUDE_READER_H
#define XDPLAB_INCLUDE_READER_H

#include <stdint.h>

#include "include/error.h"
#include "include/telemetry.h"

struct xdplab_region;
struct xdplab_region *xdplab_region_map(int descriptor, struct xdplab_error *error);
void xdplab_region_unmap(struct xdplab_region *region);
const struct xdplab_header *xdplab_region_header(const struct xdplab_region *region);
const struct xdplab_control *xdplab_region_control(const struct xdplab_region *region, uint32_t worker);
/* CLOCK_MONOTONIC when the worker began the batch that it is calling a handler for; 0 if it is calling none. */
uint64_t xdplab_inside_handler(const struct xdplab_region *region, uint32_t worker);
/* Load and store a word of a control block. */
uint64_t xdplab_load(const uint64_t *word);
void xdplab_store(uint64_t *word, uint64_t value);
/* Number of records ever written. */
uint64_t xdplab_history_written(const struct xdplab_region *region, uint32_t worker);
uint64_t xdplab_long_history_written(const struct xdplab_region *region, uint32_t worker);
uint64_t xdplab_samples_written(const struct xdplab_region *region, uint32_t worker);
/* Copies whole records from number `from` on, oldest first, skipping those already overwritten or not yet
 * complete. Returns the number copied; *next is the number to continue from. */
uint32_t xdplab_read_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     struct xdplab_record *records, uint32_t limit, uint64_t *next);
uint32_t xdplab_read_long_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
				  struct xdplab_record *records, uint32_t limit, uint64_t *next);
uint32_t xdplab_read_samples(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     void *records, uint32_t limit, uint64_t *next);
/* 1; 0 if the worker never ran; -EAGAIN while it writes them: it may finish soon, or was killed while writing. */
int xdplab_read_rings(const struct xdplab_region *region, uint32_t worker, struct xdplab_rings *rings);
void xdplab_read_latency(const struct xdplab_region *region, uint32_t worker, uint64_t *buckets);
/* The first nanosecond that belongs to a latency bucket. */
uint64_t xdplab_latency_bucket_start(uint32_t bucket);

#endif
