/* SPDX-License-Identifier: Apache-2.0 */
#include "fields/transport.h"

#include <string.h>

#include "base/checksum.h"
#include "base/headers.h"
#include "base/packet.h"
#include "base/sums.h"

enum { TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, ICMP_CHECKSUM = 2 };

static bool is_unfinished(const struct target *target, uint32_t offset)
{
	struct xdp_desc packet[PACKET_FRAMES];
	uint32_t count = 0;

	do
		packet[count] = (struct xdp_desc){
			.addr = target->frames[count].address,
			.len = target->frames[count].length,
		};
	while (target->frames[count++].options & XDP_PKT_CONTD && count < target->count && count < PACKET_FRAMES);
	return checksum_unfinished_at(target->area, packet, count) == offset;
}

struct transport_checksum transport_checksum(const struct target *target, bool of_addresses)
{
	const struct headers *headers = &target->headers;
	struct transport_checksum found = { .protocol = headers->bytes[headers->protocol] };

	if (is_of_protocol(headers, IPPROTO_TCP, TCP_BYTES))
		found.offset = headers->transport + TCP_CHECKSUM;
	else if (is_of_protocol(headers, IPPROTO_UDP, UDP_BYTES))
		found.offset = headers->transport + UDP_CHECKSUM;
	else if (is_ipv4(headers) ? is_of_protocol(headers, IPPROTO_ICMP, ICMP_BYTES) && !of_addresses :
				    is_of_protocol(headers, IPPROTO_ICMPV6, ICMPV6_BYTES))
		return (struct transport_checksum){ .offset = headers->transport + ICMP_CHECKSUM };
	else
		return found;
	found.unfinished = is_unfinished(target, found.offset);
	if (found.unfinished && !of_addresses)
		found.offset = 0; /* it does not cover the header yet */
	return found;
}

void change_checksum(uint8_t *place, uint32_t difference, bool unfinished)
{
	const uint16_t turn = unfinished ? 0 : UINT16_MAX;
	uint16_t checksum;

	memcpy(&checksum, place, sizeof(checksum));
	checksum = (uint16_t)fold((uint64_t)(checksum ^ turn) + difference) ^ turn;
	memcpy(place, &checksum, sizeof(checksum));
}

void transport_change(struct target *target, const struct transport_checksum *checksum, uint32_t difference)
{
	uint8_t *place = target->bytes + checksum->offset;

	if (!checksum->offset || (checksum->protocol == IPPROTO_UDP && !headers_load(place)))
		return;
	change_checksum(place, difference, checksum->unfinished);
	if (checksum->protocol == IPPROTO_UDP && !headers_load(place))
		headers_store(place, UINT16_MAX);
}
