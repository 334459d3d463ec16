/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames of a capture file and when each is due, for a generator that sends them. Either it holds all of them and
 * repeats them, or another thread feeds it pieces of the file meanwhile, so that a file may be larger than the memory:
 *
 *     feeding thread   replay_feed ──▶ a queue of a few pieces ──▶ replay_turn, replay_take   sending thread
 *
 * The queue has one producer and one consumer. The sending thread neither allocates nor frees: the feeding thread frees
 * a piece when it needs its place.
 */
#ifndef XDPLAB_SEND_REPLAY_H
#define XDPLAB_SEND_REPLAY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "include/generator.h"
#include "include/traffic.h"

enum {
	REPLAY_PIECES = 4, /* of the queue */
	REPLAY_LONGEST = 14 + 40 + 65535, /* bytes of a frame */
};

struct replay_piece {
	uint8_t *frames;
	uint64_t *offsets;  /* into frames; one more than the number of frames */
	uint64_t *times_ns; /* since the first frame of the replay; of what is held also the whole length */
	uint32_t count;
};

struct replay_frame {
	const uint8_t *bytes;
	uint32_t length;
};

struct replay {
	struct replay_piece held; /* count 0: it is fed */
	uint32_t repeat;

	/* Used by the sending thread while it sends. */
	const struct replay_piece *piece; /* at which it is, or NULL */
	uint32_t next;
	uint32_t round;
	bool begun;
	uint64_t began_ns; /* of the round, by the times of the capture */

	/* The queue, shared with the feeding thread. */
	struct replay_piece queue[REPLAY_PIECES];
	_Atomic uint64_t fed;
	_Atomic uint64_t used;
	_Atomic bool complete;
};

/* Copies the frames. 0, or the positive errno of an error in them. */
int replay_create(struct replay **made, const struct xdplab_replay *given);
void replay_free(struct replay *replay);

/* To the beginning, while neither thread is at work. */
void replay_rewind(struct replay *replay);
/* The sending thread, before it takes frames: those taken until now are no longer used. */
void replay_turn(struct replay *replay, uint64_t now_ns);
/* The next frame, if it is due: with an interval in `traffic` by that, else by the times of the capture. */
bool replay_take(struct replay *replay, struct traffic_state *traffic, uint64_t now_ns, struct replay_frame *frame);
bool replay_is_finished(const struct replay *replay);
/* When the next frame is due; TRAFFIC_FOREVER if none was fed yet. */
uint64_t replay_next_ns(const struct replay *replay, const struct traffic_state *traffic);

/* The feeding thread: copies another piece, `complete` with the last. 0, EAGAIN if there is no room now, or the errno of
 * an error in the frames. */
int replay_feed(struct replay *replay, const struct xdplab_replay *given, bool complete);

#endif
