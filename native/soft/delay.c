/* SPDX-License-Identifier: Apache-2.0
 *
 * Jitter: holds copies of frames, each for a random time, without reordering. So with many frames a second all are
 * delayed by nearly the maximum. If more frames come than can be held, the oldest are delivered at once.
 */
#include "soft/delay.h"

#include <stdlib.h>
#include <string.h>

#include "soft/deliver.h"

enum { DELAY_BYTES = 4 << 20 };

/* In front of each frame's bytes. A length of 0: the memory's rest is empty, and the next frame is at its start. */
struct held {
	uint64_t due_ns;
	uint32_t queue;
	uint32_t length;
};

struct soft_delay {
	uint64_t first; /* bytes that ever left, and that ever came; modulo the size, the two ends */
	uint64_t end;
	uint64_t latest_ns;
	_Alignas(16) uint8_t bytes[DELAY_BYTES];
};

static uint64_t room_of(uint32_t length)
{
	return sizeof(struct held) + (length + 15) / 16 * 16;
}

struct soft_delay *soft_delay_create(void)
{
	return calloc(1, sizeof(struct soft_delay));
}

void soft_delay_free(struct soft_delay *delay)
{
	free(delay);
}

/* splitmix64: any state is valid. */
static uint64_t next_random(struct xdplab_wire *wire)
{
	uint64_t number = wire->random += 0x9e3779b97f4a7c15;

	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 27) * 0x94d049bb133111eb;
	return number ^ number >> 31;
}

static struct held *held_at(struct soft_delay *delay, uint64_t position)
{
	return (struct held *)(delay->bytes + position % DELAY_BYTES);
}

/* Bytes to leave empty at the memory's end, so that a frame is contiguous. */
static uint64_t skipped_for(const struct soft_delay *delay, uint32_t length)
{
	const uint64_t left = DELAY_BYTES - delay->end % DELAY_BYTES;

	return left < room_of(length) ? left : 0;
}

bool soft_delay_has_room(const struct soft_delay *delay, uint32_t length)
{
	return delay->end - delay->first + skipped_for(delay, length) + room_of(length) <= DELAY_BYTES;
}

/* Every place is a multiple of 16, so a header always fits. */
static struct held *take_room(struct soft_delay *delay, uint32_t length)
{
	const uint64_t skipped = skipped_for(delay, length);
	struct held *held;

	if (skipped)
		held_at(delay, delay->end)->length = 0;
	held = held_at(delay, delay->end + skipped);
	delay->end += skipped + room_of(length);
	return held;
}

static void release_first(struct xdplab_wire *wire, uint32_t end)
{
	struct soft_delay *delay = wire->ends[end].delay;
	const struct held *held = held_at(delay, delay->first);
	const struct soft_frame frame = {
		.head = (const uint8_t *)(held + 1),
		.head_length = held->length,
		.length = held->length,
	};

	soft_deliver(wire, end, held->queue, &frame, 1);
	delay->first += room_of(held->length);
}

/* Skips the bytes left empty at the memory's end. False if no frame is held. */
static bool find_first(struct soft_delay *delay)
{
	if (delay->first != delay->end && !held_at(delay, delay->first)->length)
		delay->first += DELAY_BYTES - delay->first % DELAY_BYTES;
	return delay->first != delay->end;
}

void soft_delay_put(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		    uint32_t count)
{
	struct soft_delay *delay = wire->ends[end].delay;
	const uint64_t most_ns = wire->ends[end].faults.set.jitter_ns;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t due_ns = wire->now_ns + next_random(wire) % most_ns;
		struct held *held;
		uint8_t *bytes;

		while (!soft_delay_has_room(delay, frames[i].length) && find_first(delay))
			release_first(wire, end);
		held = take_room(delay, frames[i].length);
		if (due_ns > delay->latest_ns)
			delay->latest_ns = due_ns;
		*held = (struct held){ .due_ns = delay->latest_ns, .queue = queue, .length = frames[i].length };
		bytes = (uint8_t *)(held + 1);
		memcpy(bytes, frames[i].head, frames[i].head_length);
		if (frames[i].length > frames[i].head_length)
			memcpy(bytes + frames[i].head_length, frames[i].tail,
			       frames[i].length - frames[i].head_length);
	}
}

bool soft_delay_release(struct xdplab_wire *wire, uint32_t end, bool all)
{
	struct soft_delay *delay = wire->ends[end].delay;
	bool any = false;

	while (find_first(delay) && (all || held_at(delay, delay->first)->due_ns <= wire->now_ns)) {
		release_first(wire, end);
		any = true;
	}
	if (all)
		delay->latest_ns = 0;
	if (delay->first != delay->end)
		soft_expect(wire, held_at(delay, delay->first)->due_ns);
	return any;
}
