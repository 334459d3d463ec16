/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a field of many frames. A checksum over the field gets the difference between the old words and the new ones
 * (RFC 1624, equation 3), so the payload is not read, and a wrong checksum stays wrong:
 *
 *     of the header       IPv4, TCP, UDP, ICMP and ICMPv6, which cover their own headers
 *     of the addresses    TCP, UDP and ICMPv6, which cover the IP addresses in a pseudo-header
 *
 * In UDP, 0 means no checksum, and stays; a checksum of 0 is written as 0xffff (RFC 768). A checksum that the sender
 * left to its device (base/checksum.h) covers the addresses only, and is not complemented.
 */
#include <endian.h>
#include <string.h>

#include "base/checksum.h"
#include "base/sums.h"
#include "fields/table.h"

enum { IPV4_CHECKSUM = 10, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, ICMP_CHECKSUM = 2 };
enum { IPV6_DESTINATION = 24 };

/* A frame to write to, and all frames of its packet. */
struct target {
	uint8_t *area;
	const struct xdplab_frame *frames;
	uint32_t count; /* from this frame on */
	struct headers headers;
};

/* The transport header's checksum, as it is before the write. */
struct checksum {
	uint32_t offset; /* 0: there is none to change */
	uint8_t protocol;
	bool unfinished;
};

static uint64_t load(const uint8_t *place, uint32_t bytes)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < bytes; i++)
		value = value << 8 | place[i];
	return value;
}

static void store(uint8_t *place, uint32_t bytes, uint64_t value)
{
	for (uint32_t i = bytes; i-- > 0; value >>= 8)
		place[i] = (uint8_t)value;
}

static uint64_t value_at(const void *values, uint32_t bytes, uint32_t i)
{
	switch (bytes) {
	case 1:
		return ((const uint8_t *)values)[i];
	case 2:
		return ((const uint16_t *)values)[i];
	case 4:
		return ((const uint32_t *)values)[i];
	default:
		return ((const uint64_t *)values)[i];
	}
}

static void set(const struct field *field, uint8_t *place, const void *values, uint32_t i)
{
	const uint64_t mask = field_mask(field) << field->shift;
	uint64_t value;

	if (field->shown.kind == XDPLAB_FIELD_IPV6) {
		memcpy(place, (const uint8_t *)values + (size_t)i * 16, 16);
		return;
	}
	value = value_at(values, field->shown.bytes, i) << field->shift & mask;
	store(place, field->bytes, (load(place, field->bytes) & ~mask) | value);
}

/* Adds a difference of sums to a checksum. */
static void change(uint8_t *place, uint32_t difference, bool unfinished)
{
	const uint16_t turn = unfinished ? 0 : UINT16_MAX;
	uint16_t checksum;

	memcpy(&checksum, place, sizeof(checksum));
	checksum = (uint16_t)fold((uint64_t)(checksum ^ turn) + difference) ^ turn;
	memcpy(place, &checksum, sizeof(checksum));
}

static bool is_unfinished(const struct target *target, uint32_t checksum)
{
	struct xdp_desc packet[PACKET_FRAMES];
	uint32_t count = 0;

	do {
		packet[count] = (struct xdp_desc){
			.addr = target->frames[count].address,
			.len = target->frames[count].length,
		};
	} while (target->frames[count++].options & XDP_PKT_CONTD && count < target->count && count < PACKET_FRAMES);
	return checksum_unfinished_at(target->area, packet, count) == checksum;
}

/* Finds the checksum of a transport header that a write changes, after pass_ip(). */
static struct checksum find_checksum(const struct target *target, bool of_addresses)
{
	const struct headers *headers = &target->headers;
	struct checksum found = { .protocol = headers->bytes[headers->protocol] };

	if (is_of_protocol(headers, IPPROTO_TCP, TCP_BYTES))
		found.offset = headers->transport + TCP_CHECKSUM;
	else if (is_of_protocol(headers, IPPROTO_UDP, UDP_BYTES))
		found.offset = headers->transport + UDP_CHECKSUM;
	else if (is_ipv4(headers) ? is_of_protocol(headers, IPPROTO_ICMP, ICMP_BYTES) && !of_addresses :
				    is_of_protocol(headers, IPPROTO_ICMPV6, ICMPV6_BYTES))
		return (struct checksum){ .offset = headers->transport + ICMP_CHECKSUM };
	else
		return found;
	found.unfinished = is_unfinished(target, found.offset);
	if (found.unfinished && !of_addresses)
		found.offset = 0; /* it does not cover the header yet */
	return found;
}

static void change_transport(uint8_t *bytes, const struct checksum *checksum, uint32_t difference)
{
	uint8_t *place = bytes + checksum->offset;

	if (checksum->protocol == IPPROTO_UDP && !load(place, 2))
		return;
	change(place, difference, checksum->unfinished);
	if (checksum->protocol == IPPROTO_UDP && !load(place, 2))
		store(place, 2, UINT16_MAX);
}

static bool is_of_ip(const struct field *field)
{
	return field->place == PLACE_IPV4 || field->place == PLACE_IPV6;
}

/* Whether a write may change the transport header's checksum. */
static bool concerns_transport(const struct field *field, struct headers *headers)
{
	switch (field->place) {
	case PLACE_UDP:
	case PLACE_TCP:
	case PLACE_ICMP:
	case PLACE_ICMPV6:
		return true;
	case PLACE_IPV4:
		return field->shown.kind == XDPLAB_FIELD_IPV4 && pass_ip(headers);
	case PLACE_IPV6:
		return field->shown.kind == XDPLAB_FIELD_IPV6 && pass_ip(headers) &&
		       !(headers->routed && field->offset == IPV6_DESTINATION);
	default:
		return false;
	}
}

static bool write_one(const struct field *field, struct target *target, const void *values, uint32_t i)
{
	const uint32_t begin = field->offset & ~1u, length = ((field->offset + field->bytes + 1u) & ~1u) - begin;
	uint8_t *bytes = target->area + target->frames->address;
	struct headers *headers = &target->headers;
	struct checksum checksum = { 0 };
	uint32_t place, difference;

	*headers = (struct headers){ .bytes = bytes, .end = target->frames->length };
	if (!find_place(field->place, headers, &place))
		return false;
	if (concerns_transport(field, headers))
		checksum = find_checksum(target, is_of_ip(field));
	difference = sum_bytes(bytes + place + begin, length) ^ UINT16_MAX;
	set(field, bytes + place + field->offset, values, i);
	difference = fold(difference + sum_bytes(bytes + place + begin, length));
	if (difference == UINT16_MAX) /* 0 in one's complement */
		return true;
	if (field->place == PLACE_IPV4)
		change(bytes + place + IPV4_CHECKSUM, difference, false);
	if (checksum.offset)
		change_transport(bytes, &checksum, difference);
	return true;
}

int64_t xdplab_field_write(uint32_t index, uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames,
			   uint32_t count, const void *values, const uint8_t *masked)
{
	const struct field *field = field_at(index);
	const uint32_t outside = first_outside(area_size, frames, count);
	int64_t written = 0;

	if (outside < count)
		return -1 - (int64_t)outside;
	for (uint32_t i = 0; i < count; i++) {
		struct target target = { .area = area, .frames = frames + i, .count = count - i };

		written += !masked[i] && !continues(frames, i) && write_one(field, &target, values, i);
	}
	return written;
}
