/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_KNOB_H
#define XDPLAB_KNOB_H

#include <stdatomic.h>
#include <stdint.h>

/* A word of a control block, which another thread or process may set at any time. Python checks values before it sets
 * them, but any stray store may come: whoever reads one brings it within bounds that work. Relaxed: a knob orders
 * nothing but itself. */
static inline uint64_t knob(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

#endif
