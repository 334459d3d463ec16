/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

struct xdplab_memory *memory_of(uint8_t *bytes, uint64_t size)
{
	struct xdplab_memory *memory = malloc(sizeof(*memory));

	if (memory)
		*memory = (struct xdplab_memory){ .holders = 1, .bytes = bytes, .size = size };
	return memory;
}

/* Relaxed: the caller has it from a holder. */
struct xdplab_memory *memory_hold(struct xdplab_memory *memory)
{
	atomic_fetch_add_explicit(&memory->holders, 1, memory_order_relaxed);
	return memory;
}

/* Release: what this holder did with the memory is done before; acquire: the last one sees that of all others. */
void xdplab_memory_let_go(struct xdplab_memory *memory)
{
	if (atomic_fetch_sub_explicit(&memory->holders, 1, memory_order_acq_rel) > 1)
		return;
	munmap(memory->bytes, memory->size);
	free(memory);
}

uint8_t *xdplab_memory_bytes(const struct xdplab_memory *memory)
{
	return memory->bytes;
}

uint64_t xdplab_memory_size(const struct xdplab_memory *memory)
{
	return memory->size;
}
