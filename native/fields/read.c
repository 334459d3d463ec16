/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a field of many frames in passes, some frames at a time: one finds the field's place in each frame, another
 * loads the values. So each pass is a tight loop, made for one place or one size. Before them, headers are asked of
 * memory all together: who wrote a frame was another core, from whose cache one line after the other takes longest.
 */
#include <string.h>

#include "fields/number.h"
#include "fields/table.h"

enum { SOME = 64 };

/* Where the field is in each frame; NULL: nowhere. And where the header or payload ends. */
struct found {
	const uint8_t *place[SOME];
	uint32_t left[SOME];
};

static void prefetch(const uint8_t *area, const struct xdplab_frame *frames, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		__builtin_prefetch(area + frames[i].address);
}

typedef void locate(const uint8_t *area, const struct xdplab_frame *frames, uint32_t from, uint32_t count,
		    struct found *found);

#define LOCATE(name) \
	static void locate_##name(const uint8_t *area, const struct xdplab_frame *frames, uint32_t from, uint32_t count, \
				  struct found *found) \
	{ \
		for (uint32_t i = 0; i < count; i++) { \
			const struct xdplab_frame *frame = frames + from + i; \
			struct headers headers = { .bytes = area + frame->address, .end = frame->length }; \
			uint32_t offset = 0; \
			const bool there = !continues(frames, from + i) && find_place(PLACE_##name, &headers, &offset); \
\
			found->place[i] = there ? headers.bytes + offset : NULL; \
			if (PLACE_##name == PLACE_PAYLOAD) \
				found->left[i] = headers.end - offset; \
		} \
	}
PLACES(LOCATE)
#undef LOCATE

#define LOCATE_ENTRY(name) locate_##name,
static locate *const locators[PLACE_COUNT] = { PLACES(LOCATE_ENTRY) };
#undef LOCATE_ENTRY

#define LOAD(type, bits) \
	static void take_##bits(const struct field *field, const struct found *found, uint32_t count, type *values) \
	{ \
		const type mask = (type)field_mask(field); \
\
		for (uint32_t i = 0; i < count; i++) \
			values[i] = found->place[i] ? load_##bits(found->place[i] + field->offset) >> field->shift & mask : 0; \
	}
LOAD(uint8_t, 8)
LOAD(uint16_t, 16)
LOAD(uint32_t, 32)
LOAD(uint64_t, 48)
#undef LOAD

static void take_address(const struct field *field, const struct found *found, uint32_t count, uint8_t *values)
{
	for (uint32_t i = 0; i < count; i++, values += 16)
		if (found->place[i])
			memcpy(values, found->place[i] + field->offset, 16);
		else
			memset(values, 0, 16);
}

static void take_length(const struct found *found, uint32_t count, uint32_t *values)
{
	for (uint32_t i = 0; i < count; i++)
		values[i] = found->place[i] ? found->left[i] : 0;
}

static void take(const struct field *field, const struct found *found, uint32_t count, void *values)
{
	if (field->place == PLACE_PAYLOAD)
		take_length(found, count, values);
	else if (field->bytes == 1)
		take_8(field, found, count, values);
	else if (field->bytes == 2)
		take_16(field, found, count, values);
	else if (field->bytes == 4)
		take_32(field, found, count, values);
	else if (field->bytes == ETH_ALEN)
		take_48(field, found, count, values);
	else
		take_address(field, found, count, values);
}

int64_t xdplab_field_read(uint32_t index, const uint8_t *area, uint64_t area_size, const struct xdplab_frame *frames,
			  uint32_t count, void *values, uint8_t *masked)
{
	const struct field *field = field_at(index);
	const uint32_t outside = first_outside(area_size, frames, count);
	struct found found;
	int64_t there = 0;

	if (outside < count)
		return -1 - (int64_t)outside;
	prefetch(area, frames, count);
	for (uint32_t from = 0, some; from < count; from += some) {
		some = (uint32_t)least(count - from, SOME);
		locators[field->place](area, frames, from, some, &found);
		take(field, &found, some, (uint8_t *)values + (size_t)from * field->shown.bytes);
		for (uint32_t i = 0; i < some; i++) {
			masked[from + i] = !found.place[i];
			there += !masked[from + i];
		}
	}
	return there;
}
