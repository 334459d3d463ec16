/* SPDX-License-Identifier: Apache-2.0
 *
 * A single-producer single-consumer ring, as AF_XDP shares it with the kernel (if_xdp.h):
 *
 *     ring         entries       producer   consumer
 *     fill         u64 address   worker     kernel      empty frames, for the kernel to fill
 *     RX           xdp_desc      kernel     worker      frames that arrived
 *     TX           xdp_desc      worker     kernel      frames to send
 *     completion   u64 address   kernel     worker      frames that were sent
 *
 * Both ends are free-running 32-bit counters; an entry's place is its counter modulo the ring's size, a
 * power of two. Each side owns one counter and only reads the other's. The owner publishes with a release
 * store what it did to the entries before, and the other side's acquire load makes that visible; nothing
 * more is needed, so there are no fences. We keep a copy of the other side's counter and load it anew only
 * when the copy says that there is nothing to do, since each load may pull a cache line from another core.
 *
 * Our copies are 64 bits wide, so that they double as telemetry that never wraps.
 */
#ifndef XDPLAB_RING_H
#define XDPLAB_RING_H

#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
	_Atomic uint32_t *producer;
	_Atomic uint32_t *consumer;
	_Atomic uint32_t *flags;
	void *entries;
	uint32_t size;
	uint32_t mask;
	uint64_t own;   /* the counter of our end */
	uint64_t other; /* the other end's, when we last looked */
	void *mapping;
	uint64_t mapping_size;
};

static inline uint64_t *ring_address(const struct ring *ring, uint64_t position)
{
	return (uint64_t *)ring->entries + (position & ring->mask);
}

static inline struct xdp_desc *ring_descriptor(const struct ring *ring, uint64_t position)
{
	return (struct xdp_desc *)ring->entries + (position & ring->mask);
}

/* As consumer: how many entries wait, looked up anew. Pairs with the producer's release store. */
static inline uint32_t ring_waiting_now(struct ring *ring)
{
	uint32_t producer = atomic_load_explicit(ring->producer, memory_order_acquire);

	ring->other = ring->own + (uint32_t)(producer - (uint32_t)ring->own);
	return (uint32_t)(ring->other - ring->own);
}

/* As consumer: how many entries are known to wait; 0 only where there are none. */
static inline uint32_t ring_waiting(struct ring *ring)
{
	return ring->other == ring->own ? ring_waiting_now(ring) : (uint32_t)(ring->other - ring->own);
}

/* As consumer: gives `count` entries back. Release: our reads of them are done before. */
static inline void ring_release(struct ring *ring, uint32_t count)
{
	ring->own += count;
	atomic_store_explicit(ring->consumer, (uint32_t)ring->own, memory_order_release);
}

/* As producer: how many entries may be written, looked up anew if fewer than `wanted` were known. */
static inline uint32_t ring_free(struct ring *ring, uint32_t wanted)
{
	uint32_t room = ring->size - (uint32_t)(ring->own - ring->other);

	if (room < wanted) {
		uint32_t consumer = atomic_load_explicit(ring->consumer, memory_order_acquire);
		ring->other = ring->own - (uint32_t)((uint32_t)ring->own - consumer);
		room = ring->size - (uint32_t)(ring->own - ring->other);
	}
	return room;
}

/* As producer: hands `count` entries over. Release: what we wrote in them is seen first. */
static inline void ring_submit(struct ring *ring, uint32_t count)
{
	ring->own += count;
	atomic_store_explicit(ring->producer, (uint32_t)ring->own, memory_order_release);
}

/* The kernel asks for a system call before it goes on with this ring. Relaxed: a stale answer costs one
 * turn, and the flag orders nothing. */
static inline bool ring_needs_wakeup(const struct ring *ring)
{
	return atomic_load_explicit(ring->flags, memory_order_relaxed) & XDP_RING_NEED_WAKEUP;
}

/* Both ends for telemetry, without touching the cached copy. Acquire: what the other side did to the entries is
 * seen with them. */
static inline uint64_t ring_consumer_position(const struct ring *ring)
{
	uint32_t consumer = atomic_load_explicit(ring->consumer, memory_order_acquire);

	return ring->own - (uint32_t)((uint32_t)ring->own - consumer);
}

static inline uint64_t ring_producer_position(const struct ring *ring)
{
	uint32_t producer = atomic_load_explicit(ring->producer, memory_order_acquire);

	return ring->own + (uint32_t)(producer - (uint32_t)ring->own);
}

#endif
