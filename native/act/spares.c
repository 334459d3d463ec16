/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/spares.h"

#include <stdlib.h>

struct spares *spares_create(uint32_t frame_size, uint64_t first_frame, uint32_t frame_count, uint32_t room)
{
	struct spares *spares = malloc(sizeof(*spares) + frame_count * sizeof(*spares->frames));

	if (!spares)
		return NULL;
	spares->first = first_frame * frame_size;
	spares->bytes = (uint64_t)frame_count * frame_size;
	spares->count = frame_count;
	for (uint32_t i = 0; i < frame_count; i++)
		spares->frames[i] = (first_frame + i) * frame_size + room;
	return spares;
}
