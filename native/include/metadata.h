/* SPDX-License-Identifier: Apache-2.0
 *
 * What the device knew of a received packet, and the XDP program wrote in front of it (bpf/capture_metadata.bpf.c).
 */
#ifndef XDPLAB_INCLUDE_METADATA_H
#define XDPLAB_INCLUDE_METADATA_H

#include <stdint.h>

#include "include/frame.h"

/* Which fields are valid; the first three as in a sample's flags. */
enum xdplab_metadata_flag {
	XDPLAB_METADATA_HASH = 1,
	XDPLAB_METADATA_DEVICE_TIME = 2,
	XDPLAB_METADATA_PROGRAM_TIME = 4,
	XDPLAB_METADATA_VLAN = 16,
};

struct xdplab_metadata {
	uint64_t time_ns; /* by the device's clock, or CLOCK_MONOTONIC in the XDP program */
	uint32_t hash;
	uint32_t hash_type; /* enum xdp_rss_hash_type of the kernel */
	uint32_t flags;
	uint32_t magic;
	uint16_t vlan_protocol; /* 0x8100 or 0x88a8 */
	uint16_t vlan_tag;      /* priority, DEI and number, as in the frame */
	uint32_t padding;
};

/* Reads the metadata of each frame of an area; all 0 of a frame without, and of one that continues the packet of the
 * frame before. Returns how many frames were read; fewer than `count` if the next one is not within the area. */
uint32_t xdplab_metadata_read(const uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames, uint32_t count,
			      struct xdplab_metadata *metadata);

#endif
