/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers in network byte order, at any address, of each size that a field has.
 */
#ifndef XDPLAB_NUMBER_H
#define XDPLAB_NUMBER_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t load_8(const uint8_t *place)
{
	return *place;
}

static inline uint16_t load_16(const uint8_t *place)
{
	uint16_t value;

	memcpy(&value, place, sizeof(value));
	return be16toh(value);
}

static inline uint32_t load_32(const uint8_t *place)
{
	uint32_t value;

	memcpy(&value, place, sizeof(value));
	return be32toh(value);
}

static inline uint64_t load_48(const uint8_t *place)
{
	return (uint64_t)load_16(place) << 32 | load_32(place + 2);
}

/* Of 1, 2, 4 or 6 bytes. */
static inline uint64_t load_number(const uint8_t *place, uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return load_8(place);
	case 2:
		return load_16(place);
	case 4:
		return load_32(place);
	default:
		return load_48(place);
	}
}

static inline void store_16(uint8_t *place, uint16_t value)
{
	value = htobe16(value);
	memcpy(place, &value, sizeof(value));
}

static inline void store_32(uint8_t *place, uint32_t value)
{
	value = htobe32(value);
	memcpy(place, &value, sizeof(value));
}

static inline void store_number(uint8_t *place, uint32_t bytes, uint64_t number)
{
	switch (bytes) {
	case 1:
		*place = (uint8_t)number;
		break;
	case 2:
		store_16(place, (uint16_t)number);
		break;
	case 4:
		store_32(place, (uint32_t)number);
		break;
	default:
		store_16(place, (uint16_t)(number >> 32));
		store_32(place + 2, (uint32_t)number);
	}
}

#endif
