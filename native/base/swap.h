/* SPDX-License-Identifier: Apache-2.0
 *
 * Swaps source and destination of frames. The checksums of IPv4, TCP and UDP are sums, so they stay correct.
 */
#ifndef XDPLAB_SWAP_H
#define XDPLAB_SWAP_H

#include <linux/if_ether.h>
#include <stdint.h>
#include <string.h>

static inline void swap_bytes(uint8_t *one, uint8_t *other, uint32_t count)
{
	uint8_t kept[16]; /* the longest address, that of IPv6 */

	memcpy(kept, one, count);
	memcpy(one, other, count);
	memcpy(other, kept, count);
}

static inline void swap_ethernet(uint8_t *frame, uint32_t length)
{
	if (length >= ETH_HLEN)
		swap_bytes(frame, frame + ETH_ALEN, ETH_ALEN);
}

#endif
