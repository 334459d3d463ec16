/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of the Internet checksum (RFC 1071), of 16-bit words in memory order: the byte order does not matter.
 */
#ifndef XDPLAB_SUMS_H
#define XDPLAB_SUMS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static inline uint32_t sum_bytes(const uint8_t *bytes, uint32_t length)
{
	uint64_t even = 0, odd = 0, words[2] = { 0 };

	for (; length >= sizeof(words); bytes += sizeof(words), length -= sizeof(words)) {
		memcpy(words, bytes, sizeof(words));
		even += (uint32_t)words[0] + (uint64_t)(uint32_t)words[1];
		odd += (words[0] >> 32) + (words[1] >> 32);
	}
	words[0] = words[1] = 0;
	memcpy(words, bytes, length);
	even += (uint32_t)words[0] + (uint64_t)(uint32_t)words[1];
	odd += (words[0] >> 32) + (words[1] >> 32);
	return fold(even + odd);
}

#endif
