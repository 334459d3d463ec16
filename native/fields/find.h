/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the headers of a frame, as deep as a field needs. All is inline, so that a loop over frames that looks for one
 * place has the code for this place only.
 */
#ifndef XDPLAB_FIND_H
#define XDPLAB_FIND_H

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"

/* The places from which the table of fields counts bytes. */
#define PLACES(entry) \
	entry(ETHERNET) \
	entry(TYPE) /* the EtherType behind all VLAN tags */ \
	entry(VLAN) /* the outer tag, behind its EtherType */ \
	entry(ARP) \
	entry(ARP_IPV4) \
	entry(IPV4) \
	entry(IPV6) \
	entry(IPV6_NEXT) /* the byte that names what follows the extension headers */ \
	entry(PROTOCOL)  /* the same in IPv4 or IPv6 */ \
	entry(UDP) \
	entry(TCP) \
	entry(ICMP) \
	entry(ICMPV6) \
	entry(PAYLOAD) /* of TCP or UDP; `end` is its end */

#define PLACE_NUMBER(name) PLACE_##name,
enum place { PLACES(PLACE_NUMBER) PLACE_COUNT };
#undef PLACE_NUMBER

enum { VLAN_BYTES = 4, ARP_BYTES = 8, IPV4_BYTES = 20, IPV6_BYTES = 40 };
enum { UDP_BYTES = 8, TCP_BYTES = 20, ICMP_BYTES = 8, ICMPV6_BYTES = 4, EXTENSION_BYTES = 8 };
/* What has more of either is not followed further: so no frame takes long. */
enum { MOST_TAGS = 8, MOST_EXTENSIONS = 16 };
enum { IPV4_LATER_FRAGMENT = 0x1fff, IPV6_LATER_FRAGMENT = 0xfff8 };

/* A frame's headers, as far as they were looked for: each by its offset. */
struct headers {
	const uint8_t *bytes;
	uint32_t end;      /* of the frame; once the transport header was found, of the IP packet within it */
	uint32_t type;     /* the EtherType behind all tags */
	uint32_t network;  /* the header after that */
	uint32_t protocol; /* the byte that names the transport protocol */
	uint32_t transport;
	bool later_fragment;
	bool routed; /* the IPv6 destination is not the last one, which is in the pseudo-header */
};

static inline bool headers_have(const struct headers *headers, uint32_t offset, uint32_t count)
{
	return count <= headers->end && offset <= headers->end - count;
}

static inline uint32_t headers_word(const struct headers *headers, uint32_t offset)
{
	return (uint32_t)headers->bytes[offset] << 8 | headers->bytes[offset + 1];
}

static inline bool is_tag(uint32_t type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static inline bool find_vlan(const struct headers *headers)
{
	return headers_have(headers, 0, ETH_HLEN + VLAN_BYTES) && is_tag(headers_word(headers, 2 * ETH_ALEN));
}

static inline bool find_type(struct headers *headers)
{
	uint32_t type = 2 * ETH_ALEN, tags = 0;

	if (!headers_have(headers, 0, ETH_HLEN))
		return false;
	for (; is_tag(headers_word(headers, type)); type += VLAN_BYTES)
		if (tags++ == MOST_TAGS || !headers_have(headers, type + 2, VLAN_BYTES))
			return false;
	headers->type = type;
	headers->network = type + 2;
	return true;
}

static inline bool is_of_type(const struct headers *headers, uint32_t type)
{
	return headers_word(headers, headers->type) == type;
}

static inline bool has_arp(const struct headers *headers)
{
	const uint8_t *arp = headers->bytes + headers->network;

	return is_of_type(headers, ETH_P_ARP) && headers_have(headers, headers->network, ARP_BYTES) &&
	       headers_have(headers, headers->network, ARP_BYTES + 2u * (arp[4] + arp[5])); /* with its addresses */
}

/* For Ethernet and IPv4 addresses, of 6 and 4 bytes. */
static inline bool has_arp_ipv4(const struct headers *headers)
{
	const uint32_t arp = headers->network;

	return has_arp(headers) && headers_word(headers, arp) == 1 && headers_word(headers, arp + 2) == ETH_P_IP &&
	       headers_word(headers, arp + 4) == 0x0604;
}

static inline bool has_ipv4(struct headers *headers)
{
	headers->protocol = headers->network + 9;
	return is_of_type(headers, ETH_P_IP) && headers_have(headers, headers->network, IPV4_BYTES) &&
	       headers->bytes[headers->network] >> 4 == 4 && (headers->bytes[headers->network] & 15) >= 5;
}

static inline bool has_ipv6(const struct headers *headers)
{
	return is_of_type(headers, ETH_P_IPV6) && headers_have(headers, headers->network, IPV6_BYTES) &&
	       headers->bytes[headers->network] >> 4 == 6;
}

static inline bool pass_ipv4(struct headers *headers)
{
	const uint32_t header = (headers->bytes[headers->network] & 15u) * 4;
	const uint32_t total = headers_word(headers, headers->network + 2);

	headers->end = (uint32_t)least(headers->end, headers->network + total);
	headers->transport = headers->network + header;
	headers->later_fragment = headers_word(headers, headers->network + 6) & IPV4_LATER_FRAGMENT;
	return total >= header;
}

static inline bool is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

static inline uint32_t extension_bytes(uint8_t protocol, uint8_t length)
{
	if (protocol == IPPROTO_FRAGMENT)
		return EXTENSION_BYTES;
	return protocol == IPPROTO_AH ? (length + 2u) * 4 : (length + 1u) * 8;
}

/* Passes the extension headers (RFC 8200, section 4), to that of a later fragment at most. */
static inline bool pass_ipv6(struct headers *headers)
{
	uint32_t at = headers->network + IPV6_BYTES, bytes, extensions = 0;
	uint8_t kind;

	headers->end = (uint32_t)least(headers->end, at + headers_word(headers, headers->network + 4));
	headers->protocol = headers->network + 6;
	while (!headers->later_fragment && is_extension(kind = headers->bytes[headers->protocol])) {
		if (extensions++ == MOST_EXTENSIONS || !headers_have(headers, at, EXTENSION_BYTES))
			return false;
		bytes = extension_bytes(kind, headers->bytes[at + 1]);
		if (!headers_have(headers, at, bytes))
			return false;
		if (kind == IPPROTO_FRAGMENT)
			headers->later_fragment = headers_word(headers, at + 2) & IPV6_LATER_FRAGMENT;
		if (kind == IPPROTO_ROUTING && headers->bytes[at + 3]) /* segments left */
			headers->routed = true;
		headers->protocol = at;
		at += bytes;
	}
	headers->transport = at;
	return true;
}

static inline bool pass_ip(struct headers *headers)
{
	if (has_ipv4(headers))
		return pass_ipv4(headers);
	return has_ipv6(headers) && pass_ipv6(headers);
}

static inline bool has_protocol(struct headers *headers)
{
	return has_ipv4(headers) || (has_ipv6(headers) && pass_ipv6(headers));
}

/* After pass_ip(). */
static inline bool is_of_protocol(const struct headers *headers, uint8_t protocol, uint32_t header_bytes)
{
	return headers->bytes[headers->protocol] == protocol && !headers->later_fragment &&
	       headers_have(headers, headers->transport, header_bytes);
}

static inline bool is_ipv4(const struct headers *headers)
{
	return is_of_type(headers, ETH_P_IP);
}

/* Finds the payload of TCP or UDP, and its end. */
static inline bool find_payload(struct headers *headers, uint32_t *offset)
{
	uint32_t header, length;

	if (!pass_ip(headers))
		return false;
	if (is_of_protocol(headers, IPPROTO_TCP, TCP_BYTES)) {
		header = headers->bytes[headers->transport + 12] >> 4;
		*offset = headers->transport + header * 4;
		return header * 4 >= TCP_BYTES && *offset <= headers->end;
	}
	if (!is_of_protocol(headers, IPPROTO_UDP, UDP_BYTES))
		return false;
	length = headers_word(headers, headers->transport + 4);
	headers->end = (uint32_t)least(headers->end, headers->transport + length);
	*offset = headers->transport + UDP_BYTES;
	return length >= UDP_BYTES;
}

/* Finds the offset of a place; false if the frame has none. */
static inline bool find_place(enum place place, struct headers *headers, uint32_t *offset)
{
	if (place == PLACE_ETHERNET || place == PLACE_VLAN) {
		*offset = place == PLACE_VLAN ? ETH_HLEN : 0;
		return place == PLACE_VLAN ? find_vlan(headers) : headers_have(headers, 0, ETH_HLEN);
	}
	if (!find_type(headers))
		return false;
	switch (place) {
	case PLACE_TYPE:
		*offset = headers->type;
		return true;
	case PLACE_ARP:
	case PLACE_ARP_IPV4:
		*offset = headers->network;
		return place == PLACE_ARP ? has_arp(headers) : has_arp_ipv4(headers);
	case PLACE_IPV4:
	case PLACE_IPV6:
		*offset = headers->network;
		return place == PLACE_IPV4 ? has_ipv4(headers) : has_ipv6(headers);
	case PLACE_IPV6_NEXT:
	case PLACE_PROTOCOL:
		if (place == PLACE_PROTOCOL ? !has_protocol(headers) : !has_ipv6(headers) || !pass_ipv6(headers))
			return false;
		*offset = headers->protocol;
		return true;
	case PLACE_PAYLOAD:
		return find_payload(headers, offset);
	default:
		break;
	}
	if (!pass_ip(headers))
		return false;
	*offset = headers->transport;
	switch (place) {
	case PLACE_UDP:
		return is_of_protocol(headers, IPPROTO_UDP, UDP_BYTES);
	case PLACE_TCP:
		return is_of_protocol(headers, IPPROTO_TCP, TCP_BYTES);
	case PLACE_ICMP:
		return is_ipv4(headers) && is_of_protocol(headers, IPPROTO_ICMP, ICMP_BYTES);
	case PLACE_ICMPV6:
		return !is_ipv4(headers) && is_of_protocol(headers, IPPROTO_ICMPV6, ICMPV6_BYTES);
	default:
		return false;
	}
}

#endif
