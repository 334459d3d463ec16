/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * Packets that a capture always leaves to the stack: ARP and neighbour discovery, without which the interface gets
 * unreachable, and multicast listener reports, the stack's own housekeeping. With VLAN tags or without: a VLAN
 * interface on top (`ip link add link ... type vlan`) needs them too, and a priority tag (VLAN 0) belongs to the
 * interface itself.
 *
 * Shared by the programs of bpf/ and the soft NIC. A loader without CAP_PERFMON may add only
 * constants to a packet pointer, so the pointer moves in steps instead of by a sum.
 */
#ifndef XDPLAB_HOUSEKEEPING_H
#define XDPLAB_HOUSEKEEPING_H

#include <linux/types.h>

enum {
	/* 802.1Q in 802.1ad is two. */
	HOUSEKEEPING_MOST_TAGS = 4,
	/* Units of 8 bytes of options before a listener report; one, with a router alert, is usual. */
	HOUSEKEEPING_MOST_OPTIONS = 4,
	HOUSEKEEPING_IPV6 = 40,
};

#define HOUSEKEEPING_IS(type, value) ((type)[0] == (value) >> 8 && (type)[1] == ((value)&0xff))

/* 802.1Q, 802.1ad, and the type used for the latter before it was a standard. */
static inline int housekeeping_is_tag(const __u8 *type)
{
	return HOUSEKEEPING_IS(type, 0x8100) || HOUSEKEEPING_IS(type, 0x88a8) || HOUSEKEEPING_IS(type, 0x9100);
}

/* RFC 4861 (133 to 137), RFC 2710 (130 to 132), RFC 3810 (143). */
static inline int housekeeping_is_message(__u8 icmp6_type)
{
	return (icmp6_type >= 133 && icmp6_type <= 137) || (icmp6_type >= 130 && icmp6_type <= 132) ||
	       icmp6_type == 143;
}

/* Whether a frame, with bytes up to `end`, is housekeeping. */
static inline int belongs_to_stack(const __u8 *frame, const __u8 *end)
{
	const __u8 *type = frame + 12;
	const __u8 *ipv6, *header;
	__u8 units;

	if (type + 2 > end)
		return 0;
	for (int i = 0; i < HOUSEKEEPING_MOST_TAGS && housekeeping_is_tag(type); i++) {
		type += 4;
		if (type + 2 > end)
			return 0;
	}
	if (HOUSEKEEPING_IS(type, 0x0806)) /* ARP */
		return 1;
	ipv6 = type + 2;
	header = ipv6 + HOUSEKEEPING_IPV6;
	if (!HOUSEKEEPING_IS(type, 0x86dd) || header + 1 > end)
		return 0;
	if (ipv6[6] == 58) /* ICMPv6 */
		return housekeeping_is_message(header[0]);
	if (ipv6[6] != 0 || header + 2 > end || header[0] != 58) /* hop-by-hop options, then ICMPv6 */
		return 0;
	units = header[1];
	for (int i = 0; i < HOUSEKEEPING_MOST_OPTIONS; i++) {
		header += 8;
		if (header + 1 > end)
			return 0;
		if (units == i)
			return housekeeping_is_message(header[0]);
	}
	return 0;
}

#endif
