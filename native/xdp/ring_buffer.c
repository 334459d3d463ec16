/* SPDX-License-Identifier: Apache-2.0 */
#include "include/ring_buffer.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { MOST = 4096 }; /* records that are taken at once */

struct xdplab_ring {
	struct ring_buffer *ring;
	uint32_t size;
	uint32_t most;
	uint32_t count;
	uint32_t lengths[MOST];
	size_t used;
	uint8_t *records; /* twice the ring's size: as long as no more than half is used, any record has room */
};

/* The library counts a record as consumed, whatever this returns. */
static int keep(void *context, void *record, size_t length)
{
	struct xdplab_ring *ring = context;

	memcpy(ring->records + ring->used, record, length);
	ring->used += length;
	ring->lengths[ring->count++] = (uint32_t)length;
	return ring->count == ring->most || ring->used > ring->size ? -ENOBUFS : 0;
}

struct xdplab_ring *xdplab_ring_open(int32_t map, uint32_t size, struct xdplab_error *error)
{
	struct xdplab_ring *ring = calloc(1, sizeof(*ring));

	if (ring)
		ring->records = malloc(2 * (size_t)size);
	if (!ring || !ring->records) {
		free(ring);
		fail(error, XDPLAB_STEP_NONE, ENOMEM, "read a ring buffer");
		return NULL;
	}
	ring->size = size;
	ring->ring = ring_buffer__new(map, keep, ring, NULL);
	if (!ring->ring) {
		fail(error, XDPLAB_STEP_NONE, errno, "read a ring buffer");
		free(ring->records);
		free(ring);
		return NULL;
	}
	return ring;
}

int xdplab_ring_take(struct xdplab_ring *ring, uint32_t most)
{
	int result;

	ring->used = ring->count = 0;
	ring->most = most < MOST ? most : MOST;
	if (!ring->most)
		return 0;
	result = ring_buffer__consume(ring->ring);
	return result < 0 && result != -ENOBUFS ? result : (int)ring->count;
}

const uint8_t *xdplab_ring_records(const struct xdplab_ring *ring)
{
	return ring->records;
}

const uint32_t *xdplab_ring_lengths(const struct xdplab_ring *ring)
{
	return ring->lengths;
}

void xdplab_ring_close(struct xdplab_ring *ring)
{
	ring_buffer__free(ring->ring);
	free(ring->records);
	free(ring);
}
