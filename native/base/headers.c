/* SPDX-License-Identifier: Apache-2.0 */
#include "base/headers.h"

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stddef.h>

void headers_store(uint8_t *place, uint32_t value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

uint16_t headers_load(const uint8_t *place)
{
	return (uint16_t)(place[0] << 8 | place[1]);
}

uint16_t headers_checksum(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += headers_load(bytes + i);
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

void headers_set_size(uint8_t *headers, uint32_t size)
{
	uint8_t *ipv4 = headers + ETH_HLEN;
	uint8_t *udp = ipv4 + sizeof(struct iphdr);

	headers_store(udp + offsetof(struct udphdr, len), size - (uint32_t)(udp - headers));
	headers_store(ipv4 + offsetof(struct iphdr, tot_len), size - ETH_HLEN);
	headers_store(ipv4 + offsetof(struct iphdr, check), 0);
	headers_store(ipv4 + offsetof(struct iphdr, check),
		      headers_checksum(ipv4, sizeof(struct iphdr), 0));
}
