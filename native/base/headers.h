/* SPDX-License-Identifier: Apache-2.0
 *
 * The lengths and checksums of headers.
 */
#ifndef XDPLAB_HEADERS_H
#define XDPLAB_HEADERS_H

#include <stdint.h>

/* The Internet checksum (RFC 1071) of `length` bytes, added to the sum of other bytes, in host byte order. */
uint16_t headers_checksum(const uint8_t *bytes, uint32_t length, uint32_t sum);
void headers_store(uint8_t *place, uint32_t value); /* 16 bits in network byte order */
uint16_t headers_load(const uint8_t *place);
/* Sets the lengths in Ethernet, IPv4 and UDP headers for a frame of `size` bytes, and the IPv4 checksum. */
void headers_set_size(uint8_t *headers, uint32_t size);

#endif
