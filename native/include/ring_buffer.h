/* SPDX-License-Identifier: Apache-2.0
 *
 * The records that an XDP program put into a map of the type BPF_MAP_TYPE_RINGBUF (xdp/ring_buffer.c). The map's
 * descriptor is readable when one waits.
 */
#ifndef XDPLAB_INCLUDE_RING_BUFFER_H
#define XDPLAB_INCLUDE_RING_BUFFER_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_ring;

/* Maps a ring of `size` bytes into memory. Whoever reads it takes its records from all other readers. NULL on error. */
struct xdplab_ring *xdplab_ring_open(int32_t map, uint32_t size, struct xdplab_error *error);
/* Takes the records that wait, at most `most`. Returns their number, or a negative errno. */
int xdplab_ring_take(struct xdplab_ring *ring, uint32_t most);
/* The records taken last, one behind the other, and the bytes of each; until the next call. */
const uint8_t *xdplab_ring_records(const struct xdplab_ring *ring);
const uint32_t *xdplab_ring_lengths(const struct xdplab_ring *ring);
void xdplab_ring_close(struct xdplab_ring *ring);

#endif
