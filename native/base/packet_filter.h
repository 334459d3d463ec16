/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet filter in classic BPF, as libpcap compiles it for Ethernet frames.
 */
#ifndef XDPLAB_PACKET_FILTER_H
#define XDPLAB_PACKET_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

struct packet_filter {
	uint32_t count;
	struct sock_filter instructions[];
};

/* A copy of the program; NULL if there is no memory, or it is none that ends and stays within its memory. */
struct packet_filter *packet_filter_create(const struct sock_filter *instructions, uint32_t count);
/* Whether a packet passes of which the first `captured` bytes are at hand. One that is read beyond them does not. */
bool packet_filter_passes(const struct packet_filter *filter, const uint8_t *bytes, uint32_t captured,
			  uint32_t length);

#endif
