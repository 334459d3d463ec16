/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges source and destination. All checksums are sums, so they stay right, but for one: with an IPv6 routing
 * header the pseudo-header has the source and the last destination, which is not the one that is exchanged.
 */
#include "base/sums.h"
#include "base/swap.h"
#include "fields/table.h"
#include "fields/transport.h"

static bool swap_one(const struct field *source, const struct field *destination, struct target *target)
{
	struct transport_checksum checksum = { 0 };
	uint32_t place, difference;
	uint8_t *from;

	if (!find_place(source->place, &target->headers, &place))
		return false;
	if (source->place == PLACE_IPV6 && pass_ip(&target->headers) && target->headers.routed)
		checksum = transport_checksum(target, true);
	from = target->bytes + place + source->offset;
	difference = sum_bytes(from, source->bytes) ^ UINT16_MAX;
	swap_bytes(from, target->bytes + place + destination->offset, source->bytes);
	transport_change(target, &checksum, fold(difference + sum_bytes(from, source->bytes)));
	return true;
}

int64_t xdplab_field_swap(uint32_t source, uint32_t destination, uint8_t *area, uint64_t area_size,
			  const struct xdplab_frame *frames, uint32_t count)
{
	const struct field *from = field_at(source), *to = field_at(destination);
	const uint32_t outside = first_outside(area_size, frames, count);
	int64_t swapped = 0;

	if (outside < count)
		return -1 - (int64_t)outside;
	if (from->place != to->place || from->bytes != to->bytes)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct target target = target_at(area, frames + i, count - i);

		swapped += !continues(frames, i) && swap_one(from, to, &target);
	}
	return swapped;
}
