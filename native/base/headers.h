/* SPDX-License-Identifier: Apache-2.0
 *
 * The lengths and checksums of headers.
 */
#ifndef XDPLAB_HEADERS_H
#define XDPLAB_HEADERS_H

#include <stdint.h>

/* The Internet checksum (RFC 1071) of `length` bytes, on top of a sum of others, in host byte order. */
uint16_t headers_checksum(const uint8_t *bytes, uint32_t length, uint32_t sum);
void headers_store(uint8_t *place, uint32_t value); /* 16 bits in network byte order */
uint16_t headers_load(const uint8_t *place);
/* Of Ethernet, IPv4 and UDP headers: the lengths for a frame of `size` bytes, and the IPv4 checksum, which covers
 * one of them. */
void headers_set_size(uint8_t *headers, uint32_t size);

#endif
