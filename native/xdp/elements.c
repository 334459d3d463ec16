/* SPDX-License-Identifier: Apache-2.0 */
#include "include/elements.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NOT_SUPPORTED 524 /* ENOTSUPP, which the kernel keeps for itself, and answers here */

int xdplab_possible_cpus(void)
{
	return libbpf_num_possible_cpus();
}

int xdplab_element_lookup(int32_t map, const void *key, void *value)
{
	return bpf_map_lookup_elem(map, key, value) ? -errno : 0;
}

int xdplab_element_update(int32_t map, const void *key, const void *value)
{
	return bpf_map_update_elem(map, key, value, BPF_ANY) ? -errno : 0;
}

int xdplab_element_delete(int32_t map, const void *key)
{
	return bpf_map_delete_elem(map, key) ? -errno : 0;
}

/* Whether the kernel lacks batches: all of them before Linux 5.6, some types of maps after that. */
static bool lacks_batches(int code)
{
	return code == NOT_SUPPORTED || code == EINVAL;
}

static int read_each(int32_t map, struct xdplab_elements *elements)
{
	const uint32_t room = elements->count;
	const uint8_t *before = NULL;

	elements->count = 0;
	while (elements->count < room) {
		uint8_t *key = elements->keys + (size_t)elements->count * elements->key_size;
		uint8_t *value = elements->values + (size_t)elements->count * elements->value_size;

		if (bpf_map_get_next_key(map, before, key))
			return errno == ENOENT ? 0 : -errno;
		before = key;
		if (!bpf_map_lookup_elem(map, key, value))
			elements->count++;
		else if (errno != ENOENT)
			return -errno;
		else /* deleted meanwhile */
			before = elements->count ? key - elements->key_size : NULL;
	}
	return 0;
}

int xdplab_elements_read(int32_t map, struct xdplab_elements *elements)
{
	/* The kernel's place in the map: as long as a key, or 4 bytes. */
	uint8_t place[2][512 + 4];
	const uint32_t room = elements->count;
	uint32_t done = 0;

	if (elements->key_size > 512)
		return -E2BIG;
	while (done < room) {
		uint32_t count = room - done;
		const int result = bpf_map_lookup_batch(map, done ? place[0] : NULL, place[1],
							elements->keys + (size_t)done * elements->key_size,
							elements->values + (size_t)done * elements->value_size, &count,
							NULL);

		/* At the map's end it says ENOENT, and has read what there was. */
		if (result && errno != ENOENT) {
			const int code = errno;

			/* EINTR: too many keys were deleted meanwhile. */
			if (code != EINTR && (done || !lacks_batches(code)))
				return -code;
			elements->count = room;
			return read_each(map, elements);
		}
		done += count;
		elements->count = done;
		if (result)
			return 0;
		if (!count)
			break;
		__builtin_memcpy(place[0], place[1], sizeof(place[0]));
	}
	return 0;
}

int xdplab_elements_write(int32_t map, struct xdplab_elements *elements)
{
	uint32_t count = elements->count;

	if (!count)
		return 0;
	if (!bpf_map_update_batch(map, elements->keys, elements->values, &count, NULL)) {
		elements->count = count;
		return 0;
	}
	if (!lacks_batches(errno)) {
		const int code = errno;

		elements->count = count;
		return -code;
	}
	for (uint32_t i = 0; i < elements->count; i++) {
		const int result = xdplab_element_update(map, elements->keys + (size_t)i * elements->key_size,
							 elements->values + (size_t)i * elements->value_size);

		if (result) {
			elements->count = i;
			return result;
		}
	}
	return 0;
}

int xdplab_elements_delete(int32_t map, struct xdplab_elements *elements)
{
	for (uint32_t i = 0; i < elements->count; i++) {
		const int result = xdplab_element_delete(map, elements->keys + (size_t)i * elements->key_size);

		if (result && result != -ENOENT) {
			elements->count = i;
			return result;
		}
	}
	return 0;
}
