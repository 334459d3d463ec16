/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of packet headers, of many frames at once: reading (fields/read.c) and writing (fields/write.c).
 *
 * Frames are not trusted: no byte outside of a frame is read or written, whatever its headers say. A frame has no such
 * field if it lacks the header, if the header is cut off, if the field is of the transport header and the frame is a
 * later fragment, or if the frame continues the packet of the one before (XDP_PKT_CONTD).
 */
#ifndef XDPLAB_INCLUDE_FIELDS_H
#define XDPLAB_INCLUDE_FIELDS_H

#include <stdint.h>

#include "include/frame.h"

enum xdplab_field_kind {
	XDPLAB_FIELD_NUMBER,
	XDPLAB_FIELD_MAC,
	XDPLAB_FIELD_IPV4,
	XDPLAB_FIELD_IPV6,
};

struct xdplab_field {
	const char *name;
	const char *about;
	const char *fixed;   /* why it can't be written; NULL: it can */
	uint32_t bytes;      /* of a value: 1, 2, 4 or 8 in host byte order; 16 of an IPv6 address, as in the packet */
	uint32_t bits;       /* of the field */
	uint32_t kind;       /* enum xdplab_field_kind */
};

/* A field by its index in the table (fields/table.c); NULL past the last. */
const struct xdplab_field *xdplab_field(uint32_t index);
const char *xdplab_field_name(uint32_t index);

/* Reads a field of each frame: values[i], or 0 and masked[i] = 1 if the frame has none. Returns how many have one;
 * -1 - i if frame i is not within the area. */
int64_t xdplab_field_read(uint32_t index, const uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames,
			  uint32_t count, void *values, uint8_t *masked);

/* Writes a field of each frame that has one and whose masked[i] is 0, and keeps the checksums right of IPv4, TCP, UDP,
 * ICMP and ICMPv6. Returns how many were written, 0 for a fixed field; -1 - i, with none written, if frame i is not
 * within the area. */
int64_t xdplab_field_write(uint32_t index, uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames,
			   uint32_t count, const void *values, const uint8_t *masked);

/* Exchanges a source and a destination of one header, which keeps the checksums right. Returns as the above. */
int64_t xdplab_field_swap(uint32_t source, uint32_t destination, uint8_t *area, uint64_t area_size,
			  const struct xdplab_frame *frames, uint32_t count);

#endif
