/* SPDX-License-Identifier: Apache-2.0 */
#include "send/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_piece(struct replay_piece *piece)
{
	free(piece->frames);
	free(piece->offsets);
	free(piece->times_ns);
	*piece = (struct replay_piece){ 0 };
}

/* 0, or the errno of an error in the frames; then the piece is to be freed as well. */
static int copy_piece(struct replay_piece *piece, const struct xdplab_replay *given)
{
	uint64_t bytes = 0, latest_ns = 0;

	piece->offsets = calloc(given->count + 1ull, sizeof(*piece->offsets));
	piece->times_ns = calloc(given->count + 1ull, sizeof(*piece->times_ns));
	if (!piece->offsets || !piece->times_ns)
		return ENOMEM;
	for (uint32_t i = 0; i < given->count; i++) {
		if (!given->lengths[i] || given->lengths[i] > REPLAY_LONGEST)
			return EMSGSIZE;
		piece->offsets[i] = bytes;
		bytes += given->lengths[i];
		/* Captures from several cores may be slightly out of order. */
		if (given->times_ns[i] > latest_ns)
			latest_ns = given->times_ns[i];
		piece->times_ns[i] = latest_ns;
	}
	piece->offsets[given->count] = bytes;
	piece->count = given->count;
	piece->frames = malloc(bytes ? bytes : 1);
	if (!piece->frames)
		return ENOMEM;
	memcpy(piece->frames, given->frames, bytes);
	return 0;
}

/* Times since the first frame, and the whole length: with an average gap after the last frame. */
static void begin_at_zero(struct replay_piece *held)
{
	const uint64_t first_ns = held->times_ns[0], length_ns = held->times_ns[held->count - 1] - first_ns;

	for (uint32_t i = 0; i < held->count; i++)
		held->times_ns[i] -= first_ns;
	held->times_ns[held->count] = length_ns + (held->count > 1 ? length_ns / (held->count - 1) : 0);
}

int replay_create(struct replay **made, const struct xdplab_replay *given)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int refusal = replay ? 0 : ENOMEM;

	if (replay && given->count) {
		refusal = copy_piece(&replay->held, given);
		if (!refusal)
			begin_at_zero(&replay->held);
	}
	if (refusal) {
		replay_free(replay);
		return refusal;
	}
	replay->repeat = given->repeat;
	replay_rewind(replay);
	*made = replay;
	return 0;
}

void replay_free(struct replay *replay)
{
	if (!replay)
		return;
	free_piece(&replay->held);
	for (uint32_t i = 0; i < REPLAY_PIECES; i++)
		free_piece(replay->queue + i);
	free(replay);
}

static bool is_fed(const struct replay *replay)
{
	return !replay->held.count;
}

void replay_rewind(struct replay *replay)
{
	replay->piece = is_fed(replay) ? NULL : &replay->held;
	replay->next = replay->round = 0;
	replay->begun = false;
	/* Relaxed: starting either thread orders them. */
	atomic_store_explicit(&replay->used, atomic_load_explicit(&replay->fed, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&replay->complete, false, memory_order_relaxed);
}

static void use_next_piece(struct replay *replay)
{
	uint64_t used = atomic_load_explicit(&replay->used, memory_order_relaxed);

	if (replay->piece && replay->next == replay->piece->count) {
		replay->piece = NULL;
		/* Release: it is not read any more when the feeding thread frees it. */
		atomic_store_explicit(&replay->used, ++used, memory_order_release);
	}
	/* Acquire pairs with the release of replay_feed. */
	if (!replay->piece && atomic_load_explicit(&replay->fed, memory_order_acquire) != used) {
		replay->piece = replay->queue + used % REPLAY_PIECES;
		replay->next = 0;
	}
}

void replay_turn(struct replay *replay, uint64_t now_ns)
{
	if (is_fed(replay))
		use_next_piece(replay);
	if (!replay->begun && replay->piece) {
		replay->begun = true;
		replay->began_ns = now_ns;
	}
}

bool replay_is_finished(const struct replay *replay)
{
	if (!is_fed(replay))
		return replay->repeat && replay->round >= replay->repeat;
	/* Acquire: what was fed before it was complete is seen. */
	if (!atomic_load_explicit(&replay->complete, memory_order_acquire))
		return false;
	if (replay->piece && replay->next < replay->piece->count)
		return false;
	return atomic_load_explicit(&replay->fed, memory_order_relaxed) ==
	       atomic_load_explicit(&replay->used, memory_order_relaxed) + (replay->piece ? 1 : 0);
}

static bool has_next(const struct replay *replay)
{
	return replay->piece && replay->next < replay->piece->count;
}

static uint64_t recorded_ns(const struct replay *replay)
{
	return replay->began_ns + replay->piece->times_ns[replay->next];
}

static bool is_due(struct replay *replay, struct traffic_state *traffic, uint64_t now_ns)
{
	if (!has_next(replay) || replay_is_finished(replay) || traffic_is_finished(traffic, now_ns))
		return false;
	if (!traffic->interval_ps)
		return recorded_ns(replay) <= now_ns;
	/* If the interval is set back to 0, the capture's times continue from here. */
	replay->began_ns = now_ns - replay->piece->times_ns[replay->next];
	return traffic_is_due(traffic, now_ns);
}

bool replay_take(struct replay *replay, struct traffic_state *traffic, uint64_t now_ns, struct replay_frame *frame)
{
	const struct replay_piece *piece = replay->piece;

	if (!is_due(replay, traffic, now_ns))
		return false;
	*frame = (struct replay_frame){
		.bytes = piece->frames + piece->offsets[replay->next],
		.length = (uint32_t)(piece->offsets[replay->next + 1] - piece->offsets[replay->next]),
	};
	traffic->sent++;
	if (++replay->next == piece->count && !is_fed(replay)) {
		replay->next = 0;
		replay->round++;
		replay->began_ns += piece->times_ns[piece->count];
	}
	return true;
}

uint64_t replay_next_ns(const struct replay *replay, const struct traffic_state *traffic)
{
	if (!has_next(replay))
		return TRAFFIC_FOREVER;
	return traffic->interval_ps ? traffic_next_ns(traffic) + 1 : recorded_ns(replay);
}

static bool has_room(const struct replay *replay)
{
	/* Acquire pairs with the release of use_next_piece. */
	return atomic_load_explicit(&replay->fed, memory_order_relaxed) -
		       atomic_load_explicit(&replay->used, memory_order_acquire) <
	       REPLAY_PIECES;
}

int replay_feed(struct replay *replay, const struct xdplab_replay *given, bool complete)
{
	const uint64_t fed = atomic_load_explicit(&replay->fed, memory_order_relaxed);
	int refusal;

	if (!is_fed(replay))
		return EINVAL;
	if (!has_room(replay))
		return EAGAIN;
	if (given->count) {
		struct replay_piece *piece = replay->queue + fed % REPLAY_PIECES;

		free_piece(piece);
		refusal = copy_piece(piece, given);
		if (refusal) {
			free_piece(piece);
			return refusal;
		}
		/* Release: the sending thread sees the piece with it. */
		atomic_store_explicit(&replay->fed, fed + 1, memory_order_release);
	}
	if (complete)
		atomic_store_explicit(&replay->complete, true, memory_order_release);
	return 0;
}
