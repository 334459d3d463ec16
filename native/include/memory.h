/* SPDX-License-Identifier: Apache-2.0
 *
 * Mapped memory with several holders: it is unmapped when the last lets go (base/memory.c).
 */
#ifndef XDPLAB_INCLUDE_MEMORY_H
#define XDPLAB_INCLUDE_MEMORY_H

#include <stdint.h>

struct xdplab_memory;

uint8_t *xdplab_memory_bytes(const struct xdplab_memory *memory);
uint64_t xdplab_memory_size(const struct xdplab_memory *memory);
void xdplab_memory_let_go(struct xdplab_memory *memory);

#endif
