/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/metadata.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "include/program_maps.h"

static_assert(sizeof(struct xdplab_metadata) == sizeof(struct frame_metadata) &&
		      offsetof(struct xdplab_metadata, time_ns) == offsetof(struct frame_metadata, time_ns) &&
		      offsetof(struct xdplab_metadata, hash) == offsetof(struct frame_metadata, hash) &&
		      offsetof(struct xdplab_metadata, hash_type) == offsetof(struct frame_metadata, hash_type) &&
		      offsetof(struct xdplab_metadata, flags) == offsetof(struct frame_metadata, flags) &&
		      offsetof(struct xdplab_metadata, magic) == offsetof(struct frame_metadata, magic) &&
		      offsetof(struct xdplab_metadata, vlan_protocol) ==
			      offsetof(struct frame_metadata, vlan_protocol) &&
		      offsetof(struct xdplab_metadata, vlan_tag) == offsetof(struct frame_metadata, vlan_tag),
	      "copied as it is");
static_assert(METADATA_HASH == (int)XDPLAB_METADATA_HASH && METADATA_DEVICE_TIME == (int)XDPLAB_METADATA_DEVICE_TIME &&
		      METADATA_PROGRAM_TIME == (int)XDPLAB_METADATA_PROGRAM_TIME &&
		      METADATA_VLAN == (int)XDPLAB_METADATA_VLAN,
	      "handed on as they are");

struct xdplab_metadata metadata_before(const uint8_t *frame)
{
	struct xdplab_metadata metadata;

	memcpy(&metadata, frame - sizeof(metadata), sizeof(metadata));
	return metadata.magic == METADATA_MAGIC ? metadata : (struct xdplab_metadata){ 0 };
}

uint32_t xdplab_metadata_read(const uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames, uint32_t count,
			      struct xdplab_metadata *metadata)
{
	bool continued = false;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t address = frames[i].address;

		if (address < sizeof(*metadata) || address > area_size)
			return i;
		metadata[i] = continued ? (struct xdplab_metadata){ 0 } : metadata_before(area + address);
		continued = frames[i].options & XDPLAB_FRAME_CONTINUES;
	}
	return count;
}
