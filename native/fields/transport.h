/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum of a transport header whose words, or whose IP addresses, change. It gets the difference between the
 * old words and the new ones (RFC 1624, equation 3), so the payload is not read, and a wrong checksum stays wrong.
 *
 *     TCP, UDP, ICMPv6    cover their own headers, and the IP addresses in a pseudo-header
 *     ICMP                covers its own header
 *
 * In UDP, 0 means no checksum, and stays; a checksum of 0 is written as 0xffff (RFC 768). A checksum that the sender
 * left to its device (base/checksum.h) covers the addresses only, and is not complemented.
 */
#ifndef XDPLAB_TRANSPORT_H
#define XDPLAB_TRANSPORT_H

#include "fields/find.h"
#include "include/frame.h"

/* A frame to write to. */
struct target {
	uint8_t *area;
	const struct xdplab_frame *frames; /* this one, and those after it, which may continue its packet */
	uint32_t count;
	uint8_t *bytes;
	struct headers headers;
};

struct transport_checksum {
	uint32_t offset; /* in the frame; 0: there is none to change */
	uint8_t protocol;
	bool unfinished;
};

static inline struct target target_at(uint8_t *area, const struct xdplab_frame *frames, uint32_t count)
{
	uint8_t *bytes = area + frames->address;

	return (struct target){
		.area = area,
		.frames = frames,
		.count = count,
		.bytes = bytes,
		.headers = { .bytes = bytes, .end = frames->length },
	};
}

/* Finds the checksum that covers the transport header's own words, or the addresses. Call it before anything is
 * changed, and after pass_ip(). */
struct transport_checksum transport_checksum(const struct target *target, bool of_addresses);

/* Differences are of sums of 16-bit words in memory order (base/sums.h). */
void transport_change(struct target *target, const struct transport_checksum *checksum, uint32_t difference);
/* Adds a difference to any checksum. */
void change_checksum(uint8_t *place, uint32_t difference, bool unfinished);

#endif
