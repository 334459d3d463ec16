/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_BASE_MEMORY_H
#define XDPLAB_BASE_MEMORY_H

#include <stdatomic.h>

#include "include/memory.h"

struct xdplab_memory {
	_Atomic uint32_t holders;
	uint8_t *bytes;
	uint64_t size;
};

/* Takes over a mapping, with one holder. NULL if there is no memory for it; the mapping then stays the caller's. */
struct xdplab_memory *memory_of(uint8_t *bytes, uint64_t size);
struct xdplab_memory *memory_hold(struct xdplab_memory *memory);

#endif
