/* SPDX-License-Identifier: Apache-2.0
 *
 * The generator that replays a capture file: a thread that copies each frame into a UMEM when it is due, and sends it
 * through an AF_XDP socket.
 *
 * A frame longer than one of the UMEM's takes several (XDP_USE_SG). A frame longer than the interface takes is counted and
 * left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/error.h"
#include "base/knob.h"
#include "send/generator.h"
#include "send/replay.h"
#include "send/sender.h"
#include "shared/spares.h"
#include "xsk/xsk.h"

enum {
	RING = 1024,
	SMALL_FRAME = 2048, /* of the UMEM */
	LARGE_FRAME = 4096,
	BATCH = 64, /* descriptors between two kicks; a packet may exceed it */
	PACKET_DESCRIPTORS = REPLAY_LONGEST / LARGE_FRAME + 1,
	/* Frames further apart than this are slept for; the sleep is some 50 us late. */
	SLEEP_FROM_NS = 200 * 1000,
	LONGEST_PAUSE_NS = 10 * 1000 * 1000,
	/* Where the kernel takes no frame, or none was fed yet. */
	SHORT_PAUSE_NS = 50 * 1000,
	/* Until frames that don't leave, as while a link is down, are given up at the end. */
	DRAIN_NS = 100 * 1000 * 1000,
};

struct replay_generator {
	struct xdplab_generator generator;
	struct replay *replay;
	uint32_t interface_index;
	struct umem umem;
	struct xsk xsk;
	bool bound;

	/* Used by its thread while it runs. */
	struct traffic_state traffic;
	struct spares *spares;
	uint64_t counted; /* position in the TX ring up to which packets were counted */

	_Atomic uint64_t interval_ps;
	_Atomic uint64_t sent;

	struct sender sender;
};

static struct replay_generator *self_of(struct xdplab_generator *generator)
{
	return (struct replay_generator *)generator;
}

/* One thread writes each count. Release: with a count, readers see those that grew before it. */
static void add(_Atomic uint64_t *count, uint64_t more)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more, memory_order_release);
}

static void take_back(struct replay_generator *self)
{
	struct ring *completion = &self->xsk.completion;
	const uint32_t count = ring_waiting(completion);

	for (uint32_t i = 0; i < count; i++)
		self->spares->frames[self->spares->count++] = *ring_address(completion, completion->own + i);
	if (count)
		ring_release(completion, count);
}

/* Counts the packets that the kernel took from the TX ring since the last call. */
static bool count_taken(struct replay_generator *self)
{
	const uint64_t taken = ring_consumer_position(&self->xsk.tx);
	const uint64_t before = self->counted;
	uint64_t packets = 0;

	for (; self->counted != taken; self->counted++)
		packets += !(ring_descriptor(&self->xsk.tx, self->counted)->options & XDP_PKT_CONTD);
	if (packets)
		add(&self->sent, packets);
	return taken != before;
}

/* Descriptors that can be written, behind `written` ones that were not handed over yet. */
static uint32_t room(const struct replay_generator *self, uint32_t written)
{
	const uint64_t in_ring = self->xsk.tx.own + written - self->counted;

	return (uint32_t)least(self->spares->count, self->xsk.tx.size - in_ring);
}

/* Copies a frame into the UMEM, from the TX ring's entry `at` on. Returns the number of its descriptors. */
static uint32_t write_frame(struct replay_generator *self, uint64_t at, const struct replay_frame *frame)
{
	uint32_t written = 0, count = 0;

	while (written < frame->length) {
		const uint32_t length = (uint32_t)least(frame->length - written, self->umem.frame_size);
		const uint64_t address = self->spares->frames[--self->spares->count];

		memcpy(self->umem.area + address, frame->bytes + written, length);
		written += length;
		*ring_descriptor(&self->xsk.tx, at + count++) = (struct xdp_desc){
			.addr = address,
			.len = length,
			.options = written < frame->length ? XDP_PKT_CONTD : 0,
		};
	}
	return count;
}

/* Puts the frames that are due into the TX ring, as far as there is room. Returns how many were due. */
static uint32_t send_due(struct replay_generator *self, uint64_t now_ns)
{
	const uint32_t most = (uint32_t)least(self->generator.longest, REPLAY_LONGEST);
	uint32_t frames = 0, count = 0;
	struct replay_frame frame;

	replay_turn(self->replay, now_ns);
	while (count < BATCH && room(self, count) >= PACKET_DESCRIPTORS &&
	       replay_take(self->replay, &self->traffic, now_ns, &frame)) {
		frames++;
		if (frame.length > most) {
			add(&self->sent, 1);
			add(&self->generator.too_long, 1);
			continue;
		}
		count += write_frame(self, self->xsk.tx.own + count, &frame);
	}
	if (count)
		ring_submit(&self->xsk.tx, count);
	return frames;
}

static void pause_for(uint64_t ns)
{
	const struct timespec pause = clock_timespec(ns);

	nanosleep(&pause, NULL);
}

/* Asks the kernel to send what is in the TX ring. 0, or the errno that ends the generator. */
static int kick(struct replay_generator *self)
{
	struct ring *tx = &self->xsk.tx;

	if (ring_consumer_position(tx) == tx->own)
		return 0;
	/* Other errors, for lack of room or while the interface is down, need only the next kick. */
	if (ring_needs_wakeup(tx) && sendto(self->xsk.descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == ENXIO)
		return ENODEV;
	if (!count_taken(self))
		pause_for(SHORT_PAUSE_NS);
	return 0;
}

/* Sleeps if nothing is to be done before long, so that slow traffic does not use a whole core. */
static int await_next(struct replay_generator *self)
{
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const uint64_t until_ns = least(replay_next_ns(self->replay, &self->traffic), self->traffic.deadline_ns);

	if (until_ns == TRAFFIC_FOREVER)
		pause_for(SHORT_PAUSE_NS); /* more is fed soon */
	else if (until_ns > now_ns + SLEEP_FROM_NS)
		/* Short enough for a quick stop. */
		pause_for(least(until_ns - now_ns, LONGEST_PAUSE_NS));
	else
		return 0;
	return xsk_fault(&self->xsk) ? ENODEV : 0;
}

static bool is_finished(const struct replay_generator *self, uint64_t now_ns)
{
	return traffic_is_finished(&self->traffic, now_ns) || replay_is_finished(self->replay);
}

static int take_turn(struct replay_generator *self, uint64_t now_ns)
{
	uint32_t due;
	int fault;

	self->traffic.interval_ps = knob(&self->interval_ps);
	take_back(self);
	due = send_due(self, now_ns);
	fault = kick(self);
	return fault || due || is_finished(self, now_ns) ? fault : await_next(self);
}

/* Until the last frame has left, or those that are left won't. */
static int drain(struct replay_generator *self)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + DRAIN_NS;
	uint32_t away = UINT32_MAX;

	while (self->spares->count < RING && clock_ns(CLOCK_MONOTONIC) < until_ns) {
		const int fault = kick(self);

		if (fault)
			return fault;
		take_back(self);
		if (RING - self->spares->count < away) {
			away = RING - self->spares->count;
			until_ns = clock_ns(CLOCK_MONOTONIC) + DRAIN_NS;
		} else if (away) {
			pause_for(SHORT_PAUSE_NS);
		}
	}
	return 0;
}

static void *generator_main(void *argument)
{
	struct replay_generator *self = argument;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int fault = 0;

	generator_began(&self->generator);
	traffic_begin(&self->traffic, now_ns, self->generator.limit_frames, self->generator.limit_ns);
	while (!fault && !is_finished(self, now_ns) && !sender_is_to_stop(&self->sender)) {
		fault = take_turn(self, now_ns);
		now_ns = clock_ns(CLOCK_MONOTONIC);
	}
	if (!fault)
		fault = drain(self);
	generator_ended(&self->generator, fault);
	return NULL;
}

static int start(struct xdplab_generator *generator, struct xdplab_error *error)
{
	struct replay_generator *self = self_of(generator);

	if (!self->bound)
		return fail(error, XDPLAB_STEP_GENERATE, ENOTCONN, "start a replay that was not bound");
	replay_rewind(self->replay);
	return sender_start(&self->sender, generator->cpu, "xdplab-replay", generator_main, self, error);
}

static void stop(struct xdplab_generator *generator)
{
	sender_stop(&self_of(generator)->sender);
}

static void close_generator(struct xdplab_generator *generator)
{
	struct replay_generator *self = self_of(generator);

	if (self->bound)
		xsk_close(&self->xsk);
	umem_free(&self->umem);
	replay_free(self->replay);
	free(self->spares);
	free(self);
}

static void set_interval(struct xdplab_generator *generator, uint64_t interval_ps)
{
	atomic_store_explicit(&self_of(generator)->interval_ps, interval_ps, memory_order_relaxed);
}

static uint64_t sent(const struct xdplab_generator *generator)
{
	return atomic_load_explicit(&((const struct replay_generator *)generator)->sent, memory_order_acquire);
}

static int feed(struct xdplab_generator *generator, const struct xdplab_replay *more, bool complete)
{
	return -replay_feed(self_of(generator)->replay, more, complete);
}

static const struct generator_operations operations = {
	.start = start,
	.stop = stop,
	.close = close_generator,
	.set_interval = set_interval,
	.sent = sent,
	.feed = feed,
};

static int set_up(struct replay_generator *self, const struct xdplab_replay *replay, bool shared, struct xdplab_error *error)
{
	const struct umem_options options = {
		.frame_size = self->generator.longest > SMALL_FRAME ? LARGE_FRAME : SMALL_FRAME,
		.frame_count = RING,
		.huge_pages = XDPLAB_HUGE_PAGES_NEVER,
		.shared = shared,
	};
	const int refusal = replay_create(&self->replay, replay);

	if (refusal)
		return fail(error, XDPLAB_STEP_GENERATE, refusal, "take the frames of a capture file");
	if (umem_allocate(&self->umem, &options, error))
		return -error->code;
	self->spares = spares_create(options.frame_size, 0, options.frame_count, 0);
	return self->spares ? 0 : fail(error, XDPLAB_STEP_GENERATE, ENOMEM, "allocate a generator");
}

struct xdplab_generator *xdplab_replay_open(const struct xdplab_traffic *traffic, const struct xdplab_replay *replay,
					    uint32_t shared, struct xdplab_error *error)
{
	struct replay_generator *self = calloc(1, sizeof(*self));

	if (!self) {
		fail(error, XDPLAB_STEP_GENERATE, ENOMEM, "allocate a generator");
		return NULL;
	}
	generator_init(&self->generator, &operations, traffic);
	self->interface_index = traffic->interface_index;
	self->umem.descriptor = -1;
	atomic_init(&self->interval_ps, traffic->stream.interval_ps);
	if (set_up(self, replay, shared, error)) {
		close_generator(&self->generator);
		return NULL;
	}
	return &self->generator;
}

void xdplab_replay_umem(const struct xdplab_generator *generator, struct xdplab_umem *umem)
{
	const struct umem *own = &((const struct replay_generator *)generator)->umem;

	*umem = (struct xdplab_umem){
		.descriptor = own->descriptor,
		.frame_size = own->frame_size,
		.frame_count = own->frame_count,
	};
}

int xdplab_replay_bind(struct xdplab_generator *generator, uint32_t queue, int socket_given, uint32_t umem_registered,
		       struct xdplab_error *error)
{
	struct replay_generator *self = self_of(generator);
	const struct xsk_options options = {
		.interface_index = self->interface_index,
		.queue = queue,
		.ring_size = RING,
		.fill_ring_size = RING,
		.completion_ring_size = RING,
		.bind_mode = XDPLAB_BIND_AUTO,
		.multi_buffer = generator->longest > LARGE_FRAME,
		.umem_owner = -1,
		.umem_registered = umem_registered,
	};
	const int descriptor = socket_given < 0 ? socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0) :
						  fcntl(socket_given, F_DUPFD_CLOEXEC, 0);

	if (descriptor < 0)
		return fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open an AF_XDP socket");
	if (xsk_open(&self->xsk, descriptor, &self->umem, &options, error))
		return -error->code;
	self->bound = true;
	return 0;
}
