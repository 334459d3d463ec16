/* SPDX-License-Identifier: Apache-2.0
 *
 * Generators of a wire, run by its thread: numbered frames, with the pace and the format of traffic.h, or the unchanged
 * frames of a capture file.
 */
#include "soft/generator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/error.h"
#include "base/headers.h"
#include "base/knob.h"
#include "include/traffic.h"
#include "send/generator.h"
#include "send/replay.h"
#include "soft/deliver.h"

struct soft_generator {
	struct xdplab_generator generator;
	struct xdplab_wire *wire;
	uint32_t end;
	uint32_t queue;
	struct replay *replay; /* or NULL */

	/* Used by the wire's thread while it runs. */
	struct soft_generator *next;
	struct traffic_state traffic;
	uint32_t size;
	_Alignas(XDPLAB_CACHE_LINE) uint8_t heads[SOFT_BATCH][SOFT_HEAD]; /* zero after the payload */
	uint8_t tail[SOFT_LONGEST];                                       /* zeros */

	/* Shared by both threads. */
	_Atomic uint64_t interval_ps;
	soft_count sent;
};

static struct soft_generator *self_of(struct xdplab_generator *generator)
{
	return (struct soft_generator *)generator;
}

static void finish(struct xdplab_wire *wire, struct soft_generator *generator, int fault)
{
	struct soft_generator **place = &wire->ends[generator->end].generators;

	while (*place && *place != generator)
		place = &(*place)->next;
	if (!*place)
		return;
	*place = generator->next;
	if (!--wire->generators)
		soft_move(wire, -1);
	generator_ended(&generator->generator, fault);
}

static bool is_finished(const struct soft_generator *generator, uint64_t now_ns)
{
	return traffic_is_finished(&generator->traffic, now_ns) ||
	       (generator->replay && replay_is_finished(generator->replay));
}

/* Writes the numbered frames that are due, up to a batch. */
static uint32_t write_frames(struct soft_generator *generator, struct soft_frame *frames, uint64_t now_ns)
{
	/* A longer size than SOFT_LONGEST is also too long for the interface, which is checked next. */
	const uint32_t size = (uint32_t)least(knob(&generator->generator.wanted_size), SOFT_LONGEST);
	uint32_t count = 0;

	if (size != generator->size) {
		generator->size = size;
		headers_set_size(generator->traffic.headers, size);
	}
	while (count < SOFT_BATCH && traffic_is_due(&generator->traffic, now_ns)) {
		uint8_t *head = generator->heads[count];

		traffic_write(&generator->traffic, head, now_ns - generator->wire->clock_offset_ns);
		frames[count++] = (struct soft_frame){
			.head = head,
			.tail = generator->tail,
			.head_length = size < SOFT_HEAD ? size : SOFT_HEAD,
			.length = size,
		};
	}
	return count;
}

static uint32_t take_captured(struct soft_generator *generator, struct soft_frame *frames, uint64_t now_ns)
{
	struct replay_frame frame;
	uint32_t count = 0;

	replay_turn(generator->replay, now_ns);
	while (count < SOFT_BATCH && replay_take(generator->replay, &generator->traffic, now_ns, &frame))
		frames[count++] = (struct soft_frame){
			.head = frame.bytes,
			.head_length = frame.length,
			.length = frame.length,
		};
	return count;
}

/* Drops frames that are too long for the interface silently, as the kernel does. Returns the number left. */
static uint32_t leave_out_long(struct soft_generator *generator, struct soft_frame *frames, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++)
		if (frames[i].length <= generator->generator.longest)
			frames[kept++] = frames[i];
	soft_add(&generator->generator.too_long, count - kept);
	return kept;
}

static void expect_next(struct xdplab_wire *wire, const struct soft_generator *generator)
{
	const struct traffic_state *traffic = &generator->traffic;
	uint64_t next_ns = traffic_next_ns(traffic) + 1;

	if (generator->replay)
		next_ns = replay_next_ns(generator->replay, traffic);
	soft_expect(wire, least(next_ns, traffic->deadline_ns));
}

static bool generate(struct xdplab_wire *wire, struct soft_generator *generator)
{
	struct soft_frame frames[SOFT_BATCH];
	uint32_t made, count;

	generator->traffic.interval_ps = knob(&generator->interval_ps);
	made = generator->replay ? take_captured(generator, frames, wire->now_ns) :
				   write_frames(generator, frames, wire->now_ns);
	if (made) {
		soft_add(&generator->sent, made);
		count = leave_out_long(generator, frames, made);
		soft_add(&wire->ends[generator->end].queues[generator->queue].xmit, count);
		if (count)
			soft_arrive(wire, !generator->end, generator->queue, frames, count);
	}
	if (is_finished(generator, wire->now_ns))
		finish(wire, generator, 0);
	else
		expect_next(wire, generator);
	return made;
}

bool soft_generate(struct xdplab_wire *wire, uint32_t end)
{
	struct soft_generator *generator = wire->ends[end].generators, *next;
	bool any = false;

	for (; generator; generator = next) {
		next = generator->next; /* it may finish */
		any |= generate(wire, generator);
	}
	return any;
}

void soft_generators_end(struct xdplab_wire *wire, int fault)
{
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		while (wire->ends[end].generators)
			finish(wire, wire->ends[end].generators, fault);
}

static void begin(struct xdplab_wire *wire, void *argument)
{
	struct soft_generator *generator = argument;

	generator_began(&generator->generator);
	traffic_begin(&generator->traffic, wire->now_ns, generator->generator.limit_frames,
		      generator->generator.limit_ns);
	if (generator->replay)
		replay_rewind(generator->replay);
	generator->next = wire->ends[generator->end].generators;
	wire->ends[generator->end].generators = generator;
	wire->generators++;
	soft_move(wire, generator->generator.cpu);
	if (soft_is_cut(wire))
		finish(wire, generator, ENODEV);
}

static int start(struct xdplab_generator *generator, struct xdplab_error *error)
{
	(void)error;
	soft_call(self_of(generator)->wire, begin, generator);
	return 0;
}

static void end(struct xdplab_wire *wire, void *argument)
{
	finish(wire, argument, 0);
}

static void stop(struct xdplab_generator *generator)
{
	soft_call(self_of(generator)->wire, end, generator);
}

static void free_generator(struct soft_generator *generator)
{
	replay_free(generator->replay);
	free(generator);
}

static void close_generator(struct xdplab_generator *generator)
{
	soft_release(self_of(generator)->wire);
	free_generator(self_of(generator));
}

static void set_interval(struct xdplab_generator *generator, uint64_t interval_ps)
{
	struct soft_generator *self = self_of(generator);

	atomic_store_explicit(&self->interval_ps, interval_ps, memory_order_relaxed);
	soft_ring_bell(self->wire);
}

static uint64_t sent(const struct xdplab_generator *generator)
{
	return soft_read(&((const struct soft_generator *)generator)->sent);
}

static int feed(struct xdplab_generator *generator, const struct xdplab_replay *more, bool complete)
{
	struct soft_generator *self = self_of(generator);
	const int refusal = self->replay ? replay_feed(self->replay, more, complete) : EINVAL;

	soft_ring_bell(self->wire);
	return -refusal;
}

static const struct generator_operations operations = {
	.start = start,
	.stop = stop,
	.close = close_generator,
	.set_interval = set_interval,
	.sent = sent,
	.feed = feed,
};

static int set_up(struct soft_generator *generator, const struct xdplab_traffic *traffic,
		  const struct xdplab_replay *replay, struct xdplab_error *error)
{
	int refusal = 0;

	if (soft_is_cut(generator->wire))
		refusal = ENODEV;
	else if (traffic->stream.size > SOFT_LONGEST || !traffic->stream.flows)
		refusal = EINVAL;
	else if (replay)
		refusal = replay_create(&generator->replay, replay);
	return refusal ? fail(error, XDPLAB_STEP_GENERATE, refusal, "open a generator of a simulated interface") : 0;
}

struct xdplab_generator *xdplab_wire_generator_open(struct xdplab_wire *wire, uint32_t end,
						    const struct xdplab_traffic *traffic,
						    const struct xdplab_replay *replay, struct xdplab_error *error)
{
	struct soft_generator *generator = aligned_alloc(XDPLAB_CACHE_LINE, sizeof(*generator));

	if (!generator) {
		fail(error, XDPLAB_STEP_GENERATE, ENOMEM, "allocate a generator");
		return NULL;
	}
	memset(generator, 0, sizeof(*generator));
	generator_init(&generator->generator, &operations, traffic);
	generator->wire = wire;
	generator->end = end;
	generator->queue = (traffic->cpu > 0 ? (uint32_t)traffic->cpu : 0) % wire->config.queues;
	generator->traffic.flows = traffic->stream.flows;
	memcpy(generator->traffic.headers, traffic->stream.headers, TRAFFIC_HEADERS);
	generator->size = traffic->stream.size;
	atomic_init(&generator->interval_ps, traffic->stream.interval_ps);
	if (set_up(generator, traffic, replay, error)) {
		free_generator(generator);
		return NULL;
	}
	soft_hold(wire);
	return &generator->generator;
}
