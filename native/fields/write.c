/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a field of many frames. The checksum of an IPv4 header, and that of a transport header (fields/transport.h),
 * get the difference that it makes.
 */
#include <endian.h>
#include <string.h>

#include "base/sums.h"
#include "fields/number.h"
#include "fields/table.h"
#include "fields/transport.h"

enum { IPV4_CHECKSUM = 10, IPV6_DESTINATION = 24 };

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

/* The sum of the 16-bit words in which a number is; a single byte may be the second of its word. */
static uint32_t sum_number(uint64_t number, bool first_of_word)
{
	if (first_of_word)
		number <<= 8;
	return fold(htobe64(number));
}

/* Writes a value, and returns the difference that it makes in a sum; UINT16_MAX, 0 in one's complement, if none. */
static uint32_t set(const struct field *field, uint8_t *place, const void *values, uint32_t i)
{
	const bool first_of_word = field->bytes == 1 && field->offset % 2 == 0;
	uint64_t mask, before, after;
	uint32_t sum;

	if (field->shown.kind == XDPLAB_FIELD_IPV6) {
		sum = sum_bytes(place, 16) ^ UINT16_MAX;
		memcpy(place, (const uint8_t *)values + (size_t)i * 16, 16);
		return fold(sum + sum_bytes(place, 16));
	}
	mask = field_mask(field) << field->shift;
	before = load_number(place, field->bytes);
	after = (before & ~mask) | (value_at(values, field->shown.bytes, i) << field->shift & mask);
	store_number(place, field->bytes, after);
	return fold((sum_number(before, first_of_word) ^ UINT16_MAX) + sum_number(after, first_of_word));
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
	struct transport_checksum checksum = { 0 };
	uint32_t place, difference;

	if (!find_place(field->place, &target->headers, &place))
		return false;
	if (concerns_transport(field, &target->headers))
		checksum = transport_checksum(target, is_of_ip(field));
	difference = set(field, target->bytes + place + field->offset, values, i);
	if (difference == UINT16_MAX)
		return true;
	if (field->place == PLACE_IPV4)
		change_checksum(target->bytes + place + IPV4_CHECKSUM, difference, false);
	transport_change(target, &checksum, difference);
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
	for (uint32_t i = 0; i < count && !field->shown.fixed; i++) {
		struct target target = target_at(area, frames + i, count - i);

		written += !masked[i] && !continues(frames, i) && write_one(field, &target, values, i);
	}
	return written;
}
