/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_KNOB_H
#define XDPLAB_KNOB_H

#include <stdatomic.h>
#include <stdint.h>

/* Reads a word of a control block, which another thread or process may set at any time. Python checks values before it
 * sets them, but a stray store is possible, so the caller must limit the value to valid bounds. Relaxed: a knob orders
 * no other memory. */
static inline uint64_t knob(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

#endif
