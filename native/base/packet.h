/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets in a batch. With multi-buffer a packet may fill several consecutive frames; all but its last are marked as
 * continued (Documentation/networking/af_xdp.rst, Linux 6.18, "Multi-Buffer Support"). Without it, each frame is a
 * packet. A batch has whole packets only.
 */
#ifndef XDPLAB_PACKET_H
#define XDPLAB_PACKET_H

#include <stdint.h>

#include "base/compat.h"

/* Most frames that the kernel sends as one packet in copy mode: CONFIG_MAX_SKB_FRAGS, by default 17, and the first
 * one (xsk_build_skb, Linux 6.18). */
enum { PACKET_FRAMES = 18 };

/* Number of frames of the packet that begins here. */
static inline uint32_t packet_frames(const struct xdp_desc *frames)
{
	uint32_t count = 1;

	while (frames++->options & XDP_PKT_CONTD)
		count++;
	return count;
}

static inline uint32_t packet_length(const struct xdp_desc *frames, uint32_t count)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < count; i++)
		length += frames[i].len;
	return length;
}

static inline uint32_t packet_count(const struct xdp_desc *frames, uint32_t count)
{
	uint32_t packets = 0;

	for (uint32_t i = 0; i < count; i++)
		packets += !(frames[i].options & XDP_PKT_CONTD);
	return packets;
}

#endif
