/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_FIELD_TABLE_H
#define XDPLAB_FIELD_TABLE_H

#include "base/packet.h"
#include "fields/find.h"
#include "include/fields.h"

/* A field: bits of `bytes` bytes in network byte order, which begin `offset` bytes after a place. */
struct field {
	struct xdplab_field shown;
	enum place place;
	uint8_t offset;
	uint8_t bytes;
	uint8_t shift;
};

const struct field *field_at(uint32_t index); /* NULL past the last */

/* Not for IPv6 addresses. */
static inline uint64_t field_mask(const struct field *field)
{
	return UINT64_MAX >> (64 - field->shown.bits);
}

/* Whether a frame continues a packet: it has no headers then. */
static inline bool continues(const struct xdplab_frame *frames, uint32_t i)
{
	return i && frames[i - 1].options & XDP_PKT_CONTD;
}

/* The first frame that is not within the area; `count` if all are. */
static inline uint32_t first_outside(uint64_t area_size, const struct xdplab_frame *frames, uint32_t count)
{
	uint32_t i = 0;

	while (i < count && frames[i].length <= area_size && frames[i].address <= area_size - frames[i].length)
		i++;
	return i;
}

#endif
