/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields. Python's names, docs and errors come from it.
 */
#include "fields/table.h"

#include <stddef.h>

#define LENGTH "it is the length of the bytes that follow, which would stay as they are"
#define FOLLOWS "it names the header that follows, which would stay as it is"

#define NUMBER(name, place, offset, bytes, shift, bits, fixed, about) \
	{ { name, about, fixed, bytes, bits, XDPLAB_FIELD_NUMBER }, PLACE_##place, offset, bytes, shift },
#define MAC(name, place, offset, about) \
	{ { name, about, NULL, 8, 48, XDPLAB_FIELD_MAC }, PLACE_##place, offset, ETH_ALEN, 0 },
#define IPV4(name, place, offset, about) \
	{ { name, about, NULL, 4, 32, XDPLAB_FIELD_IPV4 }, PLACE_##place, offset, 4, 0 },
#define IPV6(name, place, offset, about) \
	{ { name, about, NULL, 16, 128, XDPLAB_FIELD_IPV6 }, PLACE_##place, offset, 16, 0 },

static const struct field fields[] = {
	MAC("eth.dst", ETHERNET, 0, "destination address")
	MAC("eth.src", ETHERNET, 6, "source address")
	NUMBER("eth.type", TYPE, 0, 2, 0, 16, FOLLOWS, "EtherType, behind VLAN tags; below 1536 a length (802.3)")
	NUMBER("vlan.id", VLAN, 0, 2, 0, 12, NULL, "VLAN of the outer tag")
	NUMBER("vlan.pcp", VLAN, 0, 1, 5, 3, NULL, "priority in the outer tag")
	NUMBER("arp.op", ARP, 6, 2, 0, 16, NULL, "operation: 1 request, 2 reply")
	MAC("arp.sender_mac", ARP_IPV4, 8, "the sender's MAC address")
	IPV4("arp.sender_ip", ARP_IPV4, 14, "the sender's IPv4 address")
	MAC("arp.target_mac", ARP_IPV4, 18, "the target's MAC address")
	IPV4("arp.target_ip", ARP_IPV4, 24, "the target's IPv4 address")
	IPV4("ipv4.src", IPV4, 12, "source address")
	IPV4("ipv4.dst", IPV4, 16, "destination address")
	NUMBER("ipv4.ttl", IPV4, 8, 1, 0, 8, NULL, "time to live, hops")
	NUMBER("ipv4.tos", IPV4, 1, 1, 0, 8, NULL, "type of service: DSCP and ECN")
	NUMBER("ipv4.dscp", IPV4, 1, 1, 2, 6, NULL, "differentiated services code point")
	NUMBER("ipv4.ecn", IPV4, 1, 1, 0, 2, NULL, "explicit congestion notification")
	NUMBER("ipv4.id", IPV4, 4, 2, 0, 16, NULL, "identification of a fragmented packet")
	NUMBER("ipv4.flags", IPV4, 6, 1, 5, 3, NULL, "2 don't fragment, 1 more fragments")
	NUMBER("ipv4.fragment", IPV4, 6, 2, 0, 13, NULL, "fragment offset, in units of 8 bytes")
	NUMBER("ipv4.protocol", IPV4, 9, 1, 0, 8, FOLLOWS, "transport protocol")
	NUMBER("ipv4.length", IPV4, 2, 2, 0, 16, LENGTH, "bytes of header and payload")
	IPV6("ipv6.src", IPV6, 8, "source address")
	IPV6("ipv6.dst", IPV6, 24, "destination address")
	NUMBER("ipv6.hop_limit", IPV6, 7, 1, 0, 8, NULL, "hop limit")
	NUMBER("ipv6.traffic_class", IPV6, 0, 2, 4, 8, NULL, "DSCP and ECN")
	NUMBER("ipv6.flow_label", IPV6, 0, 4, 0, 20, NULL, "flow label")
	NUMBER("ipv6.next", IPV6_NEXT, 0, 1, 0, 8, FOLLOWS, "transport protocol, after extension headers")
	NUMBER("ipv6.length", IPV6, 4, 2, 0, 16, LENGTH, "bytes after the header of 40 bytes")
	NUMBER("ip.protocol", PROTOCOL, 0, 1, 0, 8, FOLLOWS, "transport protocol, of IPv4 or IPv6")
	NUMBER("udp.sport", UDP, 0, 2, 0, 16, NULL, "source port")
	NUMBER("udp.dport", UDP, 2, 2, 0, 16, NULL, "destination port")
	NUMBER("udp.length", UDP, 4, 2, 0, 16, LENGTH, "bytes of header and payload")
	NUMBER("tcp.sport", TCP, 0, 2, 0, 16, NULL, "source port")
	NUMBER("tcp.dport", TCP, 2, 2, 0, 16, NULL, "destination port")
	NUMBER("tcp.seq", TCP, 4, 4, 0, 32, NULL, "sequence number")
	NUMBER("tcp.ack", TCP, 8, 4, 0, 32, NULL, "acknowledgment number")
	NUMBER("tcp.flags", TCP, 13, 1, 0, 8, NULL,
	       "1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK, 32 URG, 64 ECE, 128 CWR")
	NUMBER("tcp.window", TCP, 14, 2, 0, 16, NULL, "window, not scaled")
	NUMBER("icmp.type", ICMP, 0, 1, 0, 8, NULL, "type of message, such as 8 echo request")
	NUMBER("icmp.code", ICMP, 1, 1, 0, 8, NULL, "code")
	NUMBER("icmpv6.type", ICMPV6, 0, 1, 0, 8, NULL, "type of message, such as 128 echo request")
	NUMBER("icmpv6.code", ICMPV6, 1, 1, 0, 8, NULL, "code")
	NUMBER("payload.length", PAYLOAD, 0, 4, 0, 32, LENGTH, "bytes of a TCP or UDP payload in the frame")
};

const struct field *field_at(uint32_t index)
{
	return index < sizeof(fields) / sizeof(*fields) ? fields + index : NULL;
}

const struct xdplab_field *xdplab_field(uint32_t index)
{
	const struct field *field = field_at(index);

	return field ? &field->shown : NULL;
}

const char *xdplab_field_name(uint32_t index)
{
	const struct field *field = field_at(index);

	return field ? field->shown.name : NULL;
}
