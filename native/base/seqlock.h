/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that one thread writes and any process reads, whole or not at all.
 *
 * A record's sequence is 2 i + 1 while its i-th content is written and 2 i + 2 afterwards. A reader that
 * finds 2 i + 2 before and after its copy has content i.
 *
 * Fences would do, but ThreadSanitizer can't follow them, and on x86 the loads and stores below cost
 * nothing more. Each word is stored with release: whoever loads it with acquire also sees the odd sequence
 * that was stored before it, so the second look at the sequence can't miss that the record changed.
 */
#ifndef XDPLAB_SEQLOCK_H
#define XDPLAB_SEQLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void seqlock_begin(_Atomic uint64_t *sequence, uint64_t number)
{
	atomic_store_explicit(sequence, 2 * number + 1, memory_order_relaxed);
}

static inline void seqlock_write(void *to, const void *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
		uint64_t word; /* a frame may begin at any byte */

		memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
		atomic_store_explicit((_Atomic uint64_t *)to + i, word, memory_order_release);
	}
}

static inline void seqlock_end(_Atomic uint64_t *sequence, uint64_t number)
{
	atomic_store_explicit(sequence, 2 * number + 2, memory_order_release);
}

/* Copies a record that begins with its sequence; false where it does not hold content `number`. */
static inline bool seqlock_read(void *to, const void *record, uint64_t number, size_t bytes)
{
	const _Atomic uint64_t *words = record;

	if (atomic_load_explicit(words, memory_order_acquire) != 2 * number + 2)
		return false;
	((uint64_t *)to)[0] = 2 * number + 2;
	for (size_t i = 1; i < bytes / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] = atomic_load_explicit(words + i, memory_order_acquire);
	/* Relaxed: the acquire loads above keep it from moving before them. */
	return atomic_load_explicit(words, memory_order_relaxed) == 2 * number + 2;
}

#endif
