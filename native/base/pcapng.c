/* SPDX-License-Identifier: Apache-2.0
 *
 * Format: draft-ietf-opsawg-pcapng, section 4.3, "Enhanced Packet Block".
 */
#include "include/pcapng.h"

#include <string.h>

enum { ENHANCED_PACKET = 6 };

struct block_head {
	uint32_t type;
	uint32_t size;
	uint32_t interface;
	uint32_t time_high;
	uint32_t time_low;
	uint32_t captured;
	uint32_t length;
};

/* Bytes of the packet that begins here; adds its number of frames to `frame`. */
static uint32_t whole_length(const struct xdplab_frame *frames, uint32_t count, uint32_t *frame)
{
	uint32_t length = 0;

	do
		length += frames[*frame].length;
	while (frames[(*frame)++].options & XDPLAB_FRAME_CONTINUES && *frame < count);
	return length;
}

static uint32_t block_size(uint32_t length)
{
	/* Padded to whole words; the size stands at the end, too. */
	return (uint32_t)sizeof(struct block_head) + ((length + 3) & ~3u) + (uint32_t)sizeof(uint32_t);
}

uint64_t xdplab_pcapng_size(const struct xdplab_frame *frames, uint32_t count)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < count;)
		size += block_size(whole_length(frames, count, &i));
	return size;
}

void xdplab_pcapng_write(const uint8_t *area, const struct xdplab_frame *frames, const int64_t *times_ns,
			 uint32_t count, uint8_t *blocks)
{
	for (uint32_t i = 0; i < count;) {
		const uint32_t first = i;
		const uint64_t time_ns = (uint64_t)times_ns[first];
		const uint32_t length = whole_length(frames, count, &i);
		const uint32_t size = block_size(length);
		const struct block_head head = {
			.type = ENHANCED_PACKET,
			.size = size,
			.time_high = (uint32_t)(time_ns >> 32),
			.time_low = (uint32_t)time_ns,
			.captured = length,
			.length = length,
		};
		uint8_t *bytes = blocks + sizeof(head);

		memcpy(blocks, &head, sizeof(head));
		for (uint32_t part = first; part < i; part++) {
			memcpy(bytes, area + frames[part].address, frames[part].length);
			bytes += frames[part].length;
		}
		blocks += size;
		memset(bytes, 0, (size_t)(blocks - sizeof(size) - bytes));
		memcpy(blocks - sizeof(size), &size, sizeof(size));
	}
}
