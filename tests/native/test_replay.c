/* SPDX-License-Identifier: Apache-2.0
 *
 * The replay: frames that one thread feeds are those that another takes, and each when it is due.
 */
#include "send/replay.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "check.h"

enum { PIECES = 500, FRAMES = 7, LONGEST = 20 };

static const uint64_t NOW = 1000000;

/* Frame i of all has a byte more than the one before it, up to LONGEST, all of them i; it is due at i. */
static void make_piece(struct xdplab_replay *piece, uint32_t first, uint8_t *bytes, uint32_t *lengths, uint64_t *times_ns)
{
	*piece = (struct xdplab_replay){ .frames = bytes, .lengths = lengths, .times_ns = times_ns, .count = FRAMES };
	for (uint32_t i = 0; i < FRAMES; i++) {
		lengths[i] = (first + i) % LONGEST + 1;
		times_ns[i] = first + i;
		memset(bytes, (int)(first + i) & 0xff, lengths[i]);
		bytes += lengths[i];
	}
}

static int feed(struct replay *replay, uint32_t number, bool complete)
{
	uint8_t bytes[FRAMES * LONGEST];
	uint32_t lengths[FRAMES];
	uint64_t times_ns[FRAMES];
	struct xdplab_replay piece;

	make_piece(&piece, number * FRAMES, bytes, lengths, times_ns);
	return replay_feed(replay, &piece, complete);
}

static struct replay *make_fed(void)
{
	const struct xdplab_replay nothing = { .repeat = 1 };
	struct replay *replay = NULL;

	CHECK(!replay_create(&replay, &nothing), "no replay");
	return replay;
}

static void check_frame(const struct replay_frame *frame, uint32_t number)
{
	CHECK(frame->length == number % LONGEST + 1, "frame %u: %u bytes", number, frame->length);
	for (uint32_t i = 0; i < frame->length; i++)
		CHECK(frame->bytes[i] == (number & 0xff), "frame %u: byte %u is %u", number, i, frame->bytes[i]);
}

static void *feed_all(void *replay)
{
	for (uint32_t i = 0; i < PIECES; i++) {
		int refusal;

		while ((refusal = feed(replay, i, i == PIECES - 1)) == EAGAIN)
			sched_yield();
		CHECK(!refusal, "piece %u: %d", i, refusal);
	}
	return NULL;
}

static void what_one_thread_feeds_another_takes_in_order(void)
{
	struct traffic_state traffic = { .deadline_ns = TRAFFIC_FOREVER };
	struct replay *replay = make_fed();
	struct replay_frame frame;
	pthread_t feeder;
	uint32_t number = 0;

	CHECK(!pthread_create(&feeder, NULL, feed_all, replay), "no thread");
	while (!replay_is_finished(replay)) {
		replay_turn(replay, NOW);
		while (replay_take(replay, &traffic, NOW + PIECES * FRAMES, &frame))
			check_frame(&frame, number++);
		sched_yield();
	}
	pthread_join(feeder, NULL);
	CHECK(number == PIECES * FRAMES, "%u frames", number);
	CHECK(traffic.sent == number, "%llu sent", (unsigned long long)traffic.sent);
	replay_free(replay);
}

static void a_full_queue_takes_no_more_until_a_piece_is_done(void)
{
	struct traffic_state traffic = { .deadline_ns = TRAFFIC_FOREVER };
	struct replay *replay = make_fed();
	struct replay_frame frame;

	for (uint32_t i = 0; i < REPLAY_PIECES; i++)
		CHECK(!feed(replay, i, false), "piece %u", i);
	CHECK(feed(replay, REPLAY_PIECES, false) == EAGAIN, "it takes too many");
	replay_turn(replay, NOW);
	for (uint32_t i = 0; i < FRAMES; i++)
		CHECK(replay_take(replay, &traffic, NOW + 1000, &frame), "frame %u", i);
	/* Its frames may be in use until the next turn. */
	CHECK(!replay_take(replay, &traffic, NOW + 1000, &frame), "the next piece within a turn");
	CHECK(feed(replay, REPLAY_PIECES, false) == EAGAIN, "it takes too many");
	replay_turn(replay, NOW);
	CHECK(!feed(replay, REPLAY_PIECES, true), "there is no room");
	CHECK(!replay_is_finished(replay), "it is finished");
	replay_rewind(replay);
	CHECK(!replay_is_finished(replay), "it is complete before it was fed");
	CHECK(!feed(replay, 0, true), "no room after a rewind");
	replay_turn(replay, NOW);
	CHECK(replay_take(replay, &traffic, NOW, &frame), "no frame after a rewind");
	check_frame(&frame, 0);
	replay_free(replay);
}

static void a_frame_is_taken_when_it_is_due(void)
{
	struct traffic_state traffic = { .deadline_ns = TRAFFIC_FOREVER };
	struct replay *replay = make_fed();
	struct replay_frame frame;

	CHECK(replay_next_ns(replay, &traffic) == TRAFFIC_FOREVER, "a time of nothing");
	CHECK(!feed(replay, 0, true), "no room");
	replay_turn(replay, NOW);
	for (uint32_t i = 0; i < FRAMES; i++) {
		CHECK(replay_next_ns(replay, &traffic) == NOW + i, "frame %u", i);
		CHECK(!replay_take(replay, &traffic, NOW + i - 1, &frame), "frame %u is too soon", i);
		CHECK(replay_take(replay, &traffic, NOW + i, &frame), "frame %u is late", i);
	}
	CHECK(replay_is_finished(replay), "it goes on");
	replay_free(replay);
}

static void a_frame_without_bytes_or_too_long_is_refused(void)
{
	static uint8_t bytes[REPLAY_LONGEST + 1];
	const uint32_t wrong[] = { 0, REPLAY_LONGEST + 1 };
	struct replay *replay = make_fed(), *none = NULL;

	for (uint32_t i = 0; i < 2; i++) {
		const struct xdplab_replay piece = {
			.frames = bytes, .lengths = wrong + i, .times_ns = (uint64_t[]){ 0 }, .count = 1
		};

		CHECK(replay_feed(replay, &piece, true) == EMSGSIZE, "%u bytes are taken", wrong[i]);
		CHECK(replay_create(&none, &piece) == EMSGSIZE, "%u bytes are held", wrong[i]);
	}
	CHECK(!none, "it was made");
	CHECK(!replay_is_finished(replay), "it is complete");
	replay_free(replay);
}

int main(void)
{
	what_one_thread_feeds_another_takes_in_order();
	a_full_queue_takes_no_more_until_a_piece_is_done();
	a_frame_is_taken_when_it_is_due();
	a_frame_without_bytes_or_too_long_is_refused();
	return 0;
}
