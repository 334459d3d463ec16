/* SPDX-License-Identifier: Apache-2.0
 *
 * A log-linear histogram of nanoseconds: exact below 2^7, then 2^7 buckets an octave up to 2^34.
 * Longer times count in the last bucket.
 */
#ifndef XDPLAB_HISTOGRAM_H
#define XDPLAB_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "include/telemetry.h"

static inline uint32_t histogram_bucket(uint64_t ns)
{
	const uint32_t bits = XDPLAB_LATENCY_PRECISION_BITS;
	uint32_t octave, bucket;

	if (ns >> bits == 0)
		return (uint32_t)ns;
	octave = 63 - (uint32_t)__builtin_clzll(ns);
	bucket = ((octave - bits) << bits) + (uint32_t)(ns >> (octave - bits));
	return bucket < XDPLAB_LATENCY_BUCKETS ? bucket : XDPLAB_LATENCY_BUCKETS - 1;
}

static inline uint64_t histogram_bucket_start(uint32_t bucket)
{
	const uint32_t bits = XDPLAB_LATENCY_PRECISION_BITS;
	uint32_t shift;

	if (bucket >> bits == 0)
		return bucket;
	shift = (bucket >> bits) - 1;
	return (uint64_t)(bucket - (shift << bits)) << shift;
}

/* A load and a store suffice, since there is one writer. Relaxed, since readers need no order among buckets. */
static inline void histogram_add(_Atomic uint64_t *buckets, uint64_t ns)
{
	_Atomic uint64_t *count = buckets + histogram_bucket(ns);

	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Only the writer may call this. A reader may see some buckets already empty and others not yet. */
static inline void histogram_reset(_Atomic uint64_t *buckets)
{
	for (uint32_t i = 0; i < XDPLAB_LATENCY_BUCKETS; i++)
		atomic_store_explicit(buckets + i, 0, memory_order_relaxed);
}

#endif
