/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#include <endian.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bounds.h"
#include "base/headers.h"
#include "base/sums.h"

enum { VLAN_BYTES = 4, IPV4_BYTES = 20, IPV6_BYTES = 40, TCP_BYTES = 20, UDP_BYTES = 8, SCTP_BYTES = 12 };
enum { TCP_FIELD = 16, UDP_FIELD = 6, SCTP_FIELD = 8, SCTP_FIELD_BYTES = 4 };
enum { FRAGMENT = 0x3fff }; /* of IPv4: its offset, and "more fragments" */
enum { GRE_CHECKSUM = 0x8000, GRE_KEY = 0x2000, GRE_SEQUENCE = 0x1000, GRE_BYTES = 4, GRE_OPTION_BYTES = 4 };
enum { VXLAN_PORT = 4789, VXLAN_BYTES = 8, GENEVE_PORT = 6081, GENEVE_BYTES = 8 };
enum { ROUTING_TYPE_0 = 0, ROUTING_TYPE_2 = 2, ROUTING_SEGMENTS = 4 };
enum { DEEPEST = 4 }; /* tunnels within tunnels */
#define CRC32C 0x82f63b78u

struct packet {
	const uint8_t *area;
	const struct xdp_desc *frames;
	const uint8_t *bytes; /* of its first frame */
	uint32_t first;       /* how many they are */
	uint32_t length;      /* of the whole packet */
};

/* A position in a packet, and the type of the header there. */
struct cursor {
	uint32_t offset;
	uint32_t type; /* EtherType; ETH_P_TEB is an Ethernet frame */
};

/* The payload of an IP packet that is no fragment. */
struct transport {
	uint32_t offset;
	uint32_t length;
	uint32_t protocol;
	uint32_t address_bytes;
	const uint8_t *source;
	const uint8_t *destination;
};

/* The place of an unfinished checksum, what it covers, and its finished bytes. */
struct missing {
	uint32_t offset;
	uint32_t bytes;
	uint32_t begin;
	uint32_t length;
	uint8_t value[SCTP_FIELD_BYTES];
	bool tunnelled; /* it is of a packet in another one */
};

struct part {
	const uint8_t *bytes;
	uint32_t length;
};

/* The bytes in the packet's frame number `index`, in the first one from `offset` on, at most `left`. */
static struct part part_of(const struct packet *packet, uint32_t index, uint32_t offset, uint32_t left)
{
	const struct xdp_desc *frame = packet->frames + index;
	const uint32_t skipped = index ? 0 : offset;

	return (struct part){
		.bytes = packet->area + frame->addr + skipped,
		.length = (uint32_t)least(frame->len - skipped, left),
	};
}

static uint32_t sum_packet(const struct packet *packet, uint32_t offset, uint32_t length)
{
	uint64_t sum = 0;
	uint32_t taken = 0;

	for (uint32_t i = 0; taken < length; i++) {
		const struct part part = part_of(packet, i, offset, length - taken);
		const uint32_t added = sum_bytes(part.bytes, part.length);

		/* After an odd number of bytes, each byte is the other half of its word. */
		sum += taken % 2 ? __builtin_bswap16((uint16_t)added) : added;
		taken += part.length;
	}
	return fold(sum);
}

/* RFC 9260, appendix A. Bit by bit, since SCTP is rare. */
static uint32_t crc32c_packet(const struct packet *packet, uint32_t offset, uint32_t length)
{
	uint32_t crc = UINT32_MAX, taken = 0;

	for (uint32_t i = 0; taken < length; i++) {
		const struct part part = part_of(packet, i, offset, length - taken);

		for (uint32_t at = 0; at < part.length; at++) {
			crc ^= part.bytes[at];
			for (uint32_t bit = 0; bit < 8; bit++)
				crc = crc >> 1 ^ (crc & 1 ? CRC32C : 0);
		}
		taken += part.length;
	}
	return ~crc;
}

/* Whether `count` bytes from `offset` on are in the packet's first frame. */
static bool has(const struct packet *packet, uint32_t offset, uint32_t count)
{
	return packet->first >= count && offset <= packet->first - count;
}

/* Whether `count` bytes from `offset` on are in the packet. */
static bool holds(const struct packet *packet, uint32_t offset, uint32_t count)
{
	return packet->length >= count && offset <= packet->length - count;
}

static uint32_t load(const struct packet *packet, uint32_t offset)
{
	return headers_load(packet->bytes + offset);
}

/* Inline, since every packet that is sent on needs it. */
static inline uint32_t sum_pseudo_header(const struct transport *of)
{
	uint64_t sum = (uint64_t)htobe16((uint16_t)of->length) + htobe16((uint16_t)of->protocol);
	uint32_t source, destination;

	for (uint32_t at = 0; at < of->address_bytes; at += sizeof(source)) {
		memcpy(&source, of->source + at, sizeof(source));
		memcpy(&destination, of->destination + at, sizeof(destination));
		sum += (uint64_t)source + destination;
	}
	return fold(sum);
}

static struct missing missing_at(const struct transport *of, uint32_t field, uint32_t bytes)
{
	return (struct missing){
		.offset = of->offset + field,
		.bytes = bytes,
		.begin = of->offset,
		.length = of->length,
	};
}

/* Whether a 16-bit field holds only the pseudo-header's sum, which is never 0. */
static bool is_short_of_a_sum(const struct packet *packet, const struct transport *of, uint32_t at,
			      struct missing *missing)
{
	uint16_t field;

	memcpy(&field, packet->bytes + of->offset + at, sizeof(field));
	*missing = missing_at(of, at, sizeof(field));
	return field && field == sum_pseudo_header(of);
}

static bool is_short_of_a_crc(const struct packet *packet, const struct transport *of, struct missing *missing)
{
	uint32_t field;

	memcpy(&field, packet->bytes + of->offset + SCTP_FIELD, sizeof(field));
	*missing = missing_at(of, SCTP_FIELD, sizeof(field));
	return !field;
}

/* Sets the finished bytes; false if they are those that are there. */
static bool finish(const struct packet *packet, struct missing *missing)
{
	uint32_t crc;
	uint16_t sum;

	if (missing->bytes == sizeof(crc)) {
		crc = htole32(crc32c_packet(packet, missing->begin, missing->length));
		memcpy(missing->value, &crc, sizeof(crc));
	} else {
		sum = (uint16_t)~sum_packet(packet, missing->begin, missing->length);
		if (!sum)
			sum = UINT16_MAX; /* 0 would mean no checksum (RFC 768); both are equal in a sum */
		memcpy(missing->value, &sum, sizeof(sum));
	}
	return memcmp(packet->bytes + missing->offset, missing->value, missing->bytes);
}

/* Skips the addresses and all tags after them. */
static bool skip_ethernet(const struct packet *packet, struct cursor *cursor)
{
	if (!has(packet, cursor->offset, ETH_HLEN))
		return false;
	cursor->type = load(packet, cursor->offset + 2 * ETH_ALEN);
	cursor->offset += ETH_HLEN;
	while (cursor->type == ETH_P_8021Q || cursor->type == ETH_P_8021AD) {
		if (!has(packet, cursor->offset, VLAN_BYTES))
			return false;
		cursor->type = load(packet, cursor->offset + 2);
		cursor->offset += VLAN_BYTES;
	}
	return true;
}

static bool skip_ipv4(const struct packet *packet, uint32_t offset, struct transport *found)
{
	const uint8_t *ip = packet->bytes + offset;
	uint32_t header, total;

	if (!has(packet, offset, IPV4_BYTES))
		return false;
	header = (ip[0] & 15u) * 4;
	total = load(packet, offset + 2);
	if (header < IPV4_BYTES || total < header || !holds(packet, offset, total) ||
	    load(packet, offset + 6) & FRAGMENT)
		return false;
	*found = (struct transport){
		.offset = offset + header,
		.length = total - header,
		.protocol = ip[9],
		.address_bytes = 4,
		.source = ip + 12,
		.destination = ip + 16,
	};
	return true;
}

/* The final destination of a packet with a routing header; the checksum covers that address. */
static const uint8_t *last_stop(const uint8_t *routing, uint32_t bytes, const uint8_t *destination)
{
	const uint32_t type = routing[2], left = routing[3];

	if (!left || bytes < 8 + 16)
		return destination;
	if (type == ROUTING_SEGMENTS) /* in reverse order */
		return routing + 8;
	return type == ROUTING_TYPE_0 || type == ROUTING_TYPE_2 ? routing + bytes - 16 : destination;
}

static bool skip_ipv6(const struct packet *packet, uint32_t offset, struct transport *found)
{
	const uint8_t *ip = packet->bytes + offset, *destination = ip + 24;
	uint32_t at = offset + IPV6_BYTES, end, next, bytes;

	if (!has(packet, offset, IPV6_BYTES) || !holds(packet, at, load(packet, offset + 4)))
		return false;
	end = at + load(packet, offset + 4);
	next = ip[6];
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_AH) {
		if (!has(packet, at, 8))
			return false;
		bytes = next == IPPROTO_AH ? (packet->bytes[at + 1] + 2u) * 4 : (packet->bytes[at + 1] + 1u) * 8;
		if (!has(packet, at, bytes) || bytes > end - at)
			return false;
		if (next == IPPROTO_ROUTING)
			destination = last_stop(packet->bytes + at, bytes, destination);
		next = packet->bytes[at];
		at += bytes;
	}
	*found = (struct transport){
		.offset = at,
		.length = end - at,
		.protocol = next,
		.address_bytes = 16,
		.source = ip + 8,
		.destination = destination,
	};
	return next != IPPROTO_FRAGMENT;
}

static bool enter_gre(const struct packet *packet, const struct transport *of, struct cursor *inner)
{
	uint32_t flags;

	if (!has(packet, of->offset, GRE_BYTES))
		return false;
	flags = load(packet, of->offset);
	inner->type = load(packet, of->offset + 2);
	inner->offset = of->offset + GRE_BYTES;
	inner->offset += flags & GRE_CHECKSUM ? GRE_OPTION_BYTES : 0;
	inner->offset += flags & GRE_KEY ? GRE_OPTION_BYTES : 0;
	inner->offset += flags & GRE_SEQUENCE ? GRE_OPTION_BYTES : 0;
	return true;
}

static bool enter_udp(const struct packet *packet, const struct transport *of, struct cursor *inner)
{
	const uint32_t port = load(packet, of->offset + 2), begin = of->offset + UDP_BYTES;

	if (port == VXLAN_PORT) {
		*inner = (struct cursor){ .offset = begin + VXLAN_BYTES, .type = ETH_P_TEB };
		return true;
	}
	if (port != GENEVE_PORT || !has(packet, begin, GENEVE_BYTES))
		return false;
	inner->offset = begin + GENEVE_BYTES + (packet->bytes[begin] & 63u) * 4;
	inner->type = load(packet, begin + 2);
	return true;
}

/* Whether the payload is another packet; if so, sets `inner` to it. */
static bool enter(const struct packet *packet, const struct transport *of, struct cursor *inner)
{
	switch (of->protocol) {
	case IPPROTO_IPIP:
		*inner = (struct cursor){ .offset = of->offset, .type = ETH_P_IP };
		return true;
	case IPPROTO_IPV6:
		*inner = (struct cursor){ .offset = of->offset, .type = ETH_P_IPV6 };
		return true;
	case IPPROTO_GRE:
		return enter_gre(packet, of, inner);
	case IPPROTO_UDP:
		return of->length >= UDP_BYTES && has(packet, of->offset, UDP_BYTES) && enter_udp(packet, of, inner);
	default:
		return false;
	}
}

/* Whether a checksum looks unfinished. */
static bool is_begun(const struct packet *packet, const struct transport *of, struct missing *missing)
{
	const uint32_t offset = of->offset;

	switch (of->protocol) {
	case IPPROTO_TCP:
		return of->length >= TCP_BYTES && has(packet, offset, TCP_BYTES) &&
		       is_short_of_a_sum(packet, of, TCP_FIELD, missing);
	case IPPROTO_UDP:
		return of->length >= UDP_BYTES && has(packet, offset, UDP_BYTES) &&
		       load(packet, offset + 4) == of->length &&
		       is_short_of_a_sum(packet, of, UDP_FIELD, missing);
	case IPPROTO_SCTP:
		return of->length >= SCTP_BYTES && has(packet, offset, SCTP_BYTES) &&
		       is_short_of_a_crc(packet, of, missing);
	default:
		return false;
	}
}

/* A device that is to finish it reads the payload itself, unless that is a tunnel's: if the outer checksum only looks
 * unfinished, the inner one may be it. */
static bool find(const uint8_t *area, const struct xdp_desc *frames, uint32_t count, bool by_device,
		 struct missing *missing)
{
	const struct packet packet = {
		.area = area,
		.frames = frames,
		.bytes = area + frames->addr,
		.first = frames->len,
		.length = packet_length(frames, count),
	};
	struct cursor cursor = { .type = ETH_P_TEB };
	struct transport transport;
	bool enters;

	for (uint32_t depth = 0; depth < DEEPEST; depth++) {
		if (cursor.type == ETH_P_TEB && !skip_ethernet(&packet, &cursor))
			return false;
		if (cursor.type == ETH_P_IP ? !skip_ipv4(&packet, cursor.offset, &transport) :
					      cursor.type != ETH_P_IPV6 ||
						      !skip_ipv6(&packet, cursor.offset, &transport))
			return false;
		enters = enter(&packet, &transport, &cursor);
		missing->tunnelled = depth;
		if (is_begun(&packet, &transport, missing) && ((by_device && !enters) || finish(&packet, missing)))
			return true;
		if (!enters)
			return false;
	}
	return false;
}

bool checksum_is_unfinished(const uint8_t *area, const struct xdp_desc *frames, uint32_t count)
{
	return checksum_unfinished_at(area, frames, count);
}

uint32_t checksum_unfinished_at(const uint8_t *area, const struct xdp_desc *frames, uint32_t count)
{
	struct missing missing;

	return find(area, frames, count, false, &missing) ? missing.offset : 0;
}

bool checksum_finish(uint8_t *area, const struct xdp_desc *frames, uint32_t count)
{
	struct missing missing;

	if (!find(area, frames, count, false, &missing))
		return false;
	memcpy(area + frames->addr + missing.offset, missing.value, missing.bytes);
	return true;
}

/* A device adds up bytes to the packet's end, also those that only fill its frame. One that looks for the place by itself
 * (mlx5e_xsk_request_checksum, Linux 6.18) finds the outermost. */
bool checksum_for_device(const uint8_t *area, const struct xdp_desc *frames, uint32_t count,
			 struct checksum_place *place)
{
	struct missing missing;

	if (!find(area, frames, count, true, &missing) || missing.tunnelled ||
	    missing.bytes != sizeof(uint16_t) || missing.begin + missing.length != packet_length(frames, count))
		return false;
	*place = (struct checksum_place){
		.begin = (uint16_t)missing.begin,
		.field = (uint16_t)(missing.offset - missing.begin),
	};
	return true;
}
