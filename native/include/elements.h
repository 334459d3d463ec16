/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements of a map, by its descriptor (xdp/elements.c). From Linux 5.19 on this takes no privilege. Of a per-CPU map a
 * value has a part for each possible CPU, each rounded up to 8 bytes. What fails returns a negative errno.
 */
#ifndef XDPLAB_INCLUDE_ELEMENTS_H
#define XDPLAB_INCLUDE_ELEMENTS_H

#include <stdint.h>

/* The CPUs that this machine may ever have: so many parts has a value of a per-CPU map. */
int xdplab_possible_cpus(void);
int xdplab_element_lookup(int32_t map, const void *key, void *value);
int xdplab_element_update(int32_t map, const void *key, const void *value);
int xdplab_element_delete(int32_t map, const void *key);

struct xdplab_elements {
	uint8_t *keys;
	uint8_t *values;
	uint32_t key_size;
	uint32_t value_size; /* of all CPUs together */
	uint32_t count;      /* to do, or room; afterwards: done */
};

/* Reads elements until the map's end. -ENOSPC if there is no room for all. */
int xdplab_elements_read(int32_t map, struct xdplab_elements *elements);
int xdplab_elements_write(int32_t map, struct xdplab_elements *elements);
/* Deletes these keys; one that is not there counts as done. */
int xdplab_elements_delete(int32_t map, struct xdplab_elements *elements);

#endif
