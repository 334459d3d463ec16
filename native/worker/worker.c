/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "shared/action.h"
#include "base/checksum.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "xdp/port.h"
#include "worker/publish.h"
#include "worker/sample.h"
#include "base/thread.h"

static_assert(ACTION_drop == 0, "what is clamped to, where a path can do nothing else");

/* How near a frame of the stream must be for a worker not to sleep until then. */
#define CLOSE_NS (100 * 1000ull)

/* How many frames ahead headers are fetched. */
enum { CHECKSUM_AHEAD = 8 };

/* The control block as this turn has it. */
struct settings {
	uint32_t batch;
	uint32_t burst;
	uint32_t action_index;
	const struct action *action;
	bool finishes_checksums; /* of what it sends on */
	struct sampling sampling;
};

/* Relaxed: a knob orders nothing but itself. */
static uint64_t knob(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static uint32_t clamp(uint64_t value, uint32_t least, uint32_t most)
{
	return value < least ? least : value > most ? most : (uint32_t)value;
}

/* Values that can't work are brought within bounds: Python checks them, but any stray store may come. */
static struct settings read_control(struct worker *worker)
{
	const struct xdplab_control *control = &worker->block->control;
	const uint32_t wait = clamp(knob(&control->wait), 0, WAIT_COUNT);
	const uint64_t every = knob(&control->sample_every);
	const uint64_t resets = knob(&control->latency_resets);
	const uint32_t last_action = worker->rx->only_drops ? ACTION_drop : ACTION_COUNT - 1;
	const uint32_t action_index = clamp(knob(&control->action), ACTION_drop, last_action);
	const struct action *action = actions[action_index];

	if (wait != worker->wait_index)
		wait_switch(worker, wait);
	if (resets != worker->latency_resets) {
		histogram_reset(worker->block->latency);
		worker->latency_resets = resets;
	}
	if (worker->sample_countdown >= every)
		worker->sample_countdown = every ? every - 1 : 0;
	return (struct settings){
		.batch = clamp(knob(&control->batch), worker->rx->packet_frames, worker->frames_limit),
		.burst = clamp(knob(&control->burst), worker->rx->packet_frames, XDPLAB_LARGEST_BURST),
		.action_index = action_index,
		.action = action,
		.finishes_checksums = knob(&control->checksum) != XDPLAB_CHECKSUM_NONE,
		.sampling = {
			.every = every,
			.inspect = knob(&control->inspect),
			.verdict = action->verdict,
		},
	};
}

static void count_batch(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct xdplab_counters *counters = &worker->counters;
	const uint32_t packets = path_packets(worker->rx, frames, count);
	uint32_t bucket = 31 - (uint32_t)__builtin_clz(packets);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += frames[i].len;
	counters->rx_packets += packets;
	counters->rx_bytes += bytes;
	counters->batches[bucket < XDPLAB_BATCH_BUCKETS ? bucket : XDPLAB_BATCH_BUCKETS - 1]++;
}

void worker_transmit(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	struct xdplab_counters *counters = &worker->counters;
	uint32_t length = 0; /* of the packet at hand, which may fill several frames */

	for (uint32_t i = 0; i < count; i++) {
		counters->tx_bytes += frames[i].len;
		length += frames[i].len;
		if (frames[i].options & XDP_PKT_CONTD)
			continue;
		counters->tx_packets++;
		counters->tx_too_long += length > worker->tx->longest;
		length = 0;
	}
	worker->tx->operations->transmit(worker->tx, frames, count);
}

/* Asks the kernel to send. Returns the time that took, which is the kernel's work, not ours. */
static uint64_t kick_transmit(struct worker *worker)
{
	const uint64_t before = clock_ns(CLOCK_MONOTONIC);

	wait_kick(worker);
	wait_submit(worker);
	return clock_ns(CLOCK_MONOTONIC) - before;
}

/* Of the batch at hand, frames that were received go back to the fill ring, and the stream's to its stack. */
static void give_back(struct worker *worker, uint32_t count)
{
	struct stream *stream = worker->stream;
	uint32_t received = 0;

	if (!stream) {
		worker->rx->operations->recycle(worker->rx, worker->frames, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (worker->frames[i].addr >= stream->first_spare)
			stream->spare[stream->spare_count++] = worker->frames[i].addr;
		else
			worker->frames[received++] = worker->frames[i];
	}
	worker->rx->operations->recycle(worker->rx, worker->frames, received);
}

static bool produces(const struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	return settings->action->produce && worker->stream && !stream_is_finished(worker->stream, now_ns) &&
	       !atomic_load_explicit(&worker->draining, memory_order_relaxed);
}

/* Sends what is due of the stream, and adds it to what was handled. Returns how long the worker may wait until
 * the next frame is due. */
static uint64_t generate(struct worker *worker, const struct settings *settings, uint64_t now_ns,
			 uint32_t *handled)
{
	struct traffic_state *traffic = &worker->stream->traffic;
	uint32_t produced;
	uint64_t next_ns;

	traffic->interval_ps = knob(&worker->block->control.interval_ps);
	produced = settings->action->produce(worker, settings->batch, now_ns);
	*handled += produced;
	if (produced || !traffic->interval_ps)
		return 0;
	next_ns = stream_next_ns(worker->stream);
	/* A thread wakes some 50 us late, so what is nearer is waited for by looking at the clock. */
	return next_ns > now_ns + CLOSE_NS ? next_ns - now_ns - CLOSE_NS : 0;
}

/* Frames that were sent go back to the fill ring they came from. Bounded like receiving, so that neither
 * starves the other. */
static void take_back_sent(struct worker *worker, uint32_t burst)
{
	uint32_t taken = 0, count;

	while (taken < burst && (count = worker->tx->operations->complete(worker->tx, worker->frames,
									  worker->frames_limit))) {
		give_back(worker, count);
		taken += count;
	}
}

/* How many frames may be received now. What could not be sent is left in the RX ring, where the kernel
 * counts what it has no room for; in user space nothing is ever lost. */
static uint32_t batch_limit(struct worker *worker, const struct settings *settings, uint32_t received)
{
	const uint32_t left = settings->burst - received;
	const uint32_t limit = settings->batch < left ? settings->batch : left;
	uint32_t room;

	if (!settings->action->transmits)
		return limit;
	room = worker->tx->operations->room(worker->tx);
	return limit < room ? limit : room;
}

/* Of what is about to be sent on. A worker that is told to leave checksums alone looks at one packet of a batch, so
 * that the loss can be told. */
static void look_at_checksums(struct worker *worker, const struct settings *settings, uint32_t count)
{
	const struct path *rx = worker->rx;
	const bool long_packets = path_has_long_packets(rx);
	const struct xdp_desc *frames = worker->frames;
	uint32_t each;

	if (!settings->finishes_checksums) {
		each = long_packets ? packet_frames(frames) : 1;
		worker->counters.checksums_unfinished += checksum_is_unfinished(rx->area, frames, each);
		return;
	}
	for (uint32_t i = 0; i < count; i += each) {
		/* Headers are in no cache of ours yet, and waiting for one after the other takes longer than the rest. */
		if (i + CHECKSUM_AHEAD < count)
			__builtin_prefetch(rx->area + frames[i + CHECKSUM_AHEAD].addr);
		each = long_packets ? packet_frames(frames + i) : 1;
		worker->counters.checksums_finished += checksum_finish(rx->area, frames + i, each);
	}
}

/* Receives one batch, of a burst that has `received` packets already, and acts on it. */
static uint32_t receive_batch(struct worker *worker, const struct settings *settings, uint32_t received)
{
	const uint32_t limit = batch_limit(worker, settings, received);
	uint32_t count;

	/* Room for less than the longest packet is no room. */
	if (limit < worker->rx->packet_frames)
		return 0;
	count = worker->rx->operations->receive(worker->rx, worker->frames, limit);
	if (!count) {
		worker->counters.empty_polls++;
		return 0;
	}
	sample_batch(worker, &settings->sampling, worker->frames, count);
	count_batch(worker, worker->frames, count);
	if (settings->action->transmits)
		look_at_checksums(worker, settings, count);
	settings->action->run(worker, worker->frames, count);
	return count;
}

/* Receives batch after batch until nothing is left or the burst is used up. */
static uint32_t receive_burst(struct worker *worker, const struct settings *settings)
{
	uint32_t received = 0, count;

	while (received < settings->burst && (count = receive_batch(worker, settings, received)))
		received += count;
	return received;
}

/* False where the path has ended. */
static bool publish_turn(struct worker *worker, uint64_t now_ns)
{
	const uint64_t interval = worker->region->header.publish_interval_ns;
	const int fault = worker->rx->operations->fault(worker->rx);

	worker->counters.syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (fault)
		worker->counters.fault = (uint64_t)fault;
	if (worker->counters.fault)
		return false;
	worker->counters.control_wait = worker->wait_index;
	publish(worker, now_ns);
	/* On a grid, so that records are evenly spaced; after a long absence, from here. */
	worker->next_publish_ns += interval;
	if (worker->next_publish_ns <= now_ns)
		worker->next_publish_ns = now_ns + interval;
	return true;
}

/* What a turn spent on its packets. What is above a microsecond each is not theirs: the core was taken away,
 * by another thread, an interrupt or the hypervisor. */
static uint64_t work_time(uint64_t elapsed_ns, uint32_t packets)
{
	const uint64_t most = packets * 1000ull;

	return elapsed_ns < most ? elapsed_ns : most;
}

/* A turn of a paced worker, in an order that shows each frame in each ring: what this turn puts into the TX ring,
 * the next hands to the kernel, and the one after that takes back from the completion ring. */
static void take_step(struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	uint32_t produced = 0;

	take_back_sent(worker, settings->burst);
	if (worker->tx->operations->wants_kick(worker->tx))
		kick_transmit(worker);
	if (worker->rx->operations->wait)
		worker->rx->operations->wait(worker->rx, worker, 0);
	receive_batch(worker, settings, 0);
	if (produces(worker, settings, now_ns))
		generate(worker, settings, now_ns, &produced);
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM] += worker->rx->operations->kick(worker->rx);
}

/* Instead of a turn: what a paced worker does until it is told to run freely again. */
static void go_at_pace(struct worker *worker, const struct settings *settings, uint64_t now_ns)
{
	if (pace_take_turn(worker, now_ns))
		take_step(worker, settings, now_ns);
	wait_submit(worker);
	pace_show_rings(worker, now_ns);
	pace_nap(worker, now_ns);
}

static void run_turns(struct worker *worker)
{
	const struct path_operations *path = worker->rx->operations;
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	uint32_t handled = 0; /* packets received or made in the turn before */
	uint64_t leisure, next;
	bool spun = false, sending;

	worker->next_publish_ns = before;
	/* Acquire pairs with the release in worker_stop. */
	while (!atomic_load_explicit(&worker->stop, memory_order_acquire)) {
		const struct settings settings = read_control(worker);
		uint64_t now = clock_ns(CLOCK_MONOTONIC);

		worker->work_ns += work_time(now - before, handled);
		worker->idle_ns += spun ? now - before : 0;
		before = now;
		if (now >= worker->next_publish_ns) {
			worker->counters.control_batch = settings.batch;
			worker->counters.control_action = settings.action_index;
			worker->counters.streams = produces(worker, &settings, now);
			if (!publish_turn(worker, now))
				return;
			before = clock_ns(CLOCK_MONOTONIC);
		}
		if (pace_is_set(worker)) {
			go_at_pace(worker, &settings, now);
			before = clock_ns(CLOCK_MONOTONIC);
			handled = 0;
			spun = false;
			continue;
		}
		take_back_sent(worker, settings.burst);
		handled = receive_burst(worker, &settings);
		leisure = worker->next_publish_ns > now ? worker->next_publish_ns - now : 0;
		if (produces(worker, &settings, now)) {
			next = generate(worker, &settings, now, &handled);
			leisure = next < leisure ? next : leisure;
		}
		/* Frames wait that there is no room to send: what frees it wakes nobody. */
		if (settings.action->transmits && !worker->tx->operations->room(worker->tx))
			leisure = 0;
		worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM] += path->kick(worker->rx);
		sending = worker->tx->operations->wants_kick(worker->tx);
		if (sending)
			before += kick_transmit(worker);
		else
			wait_submit(worker);
		/* While frames wait to be sent there is something to do. */
		if (sending)
			spun = !handled && wait_kicks_elsewhere(worker);
		else
			spun = !handled && (!leisure || wait_for_packets(worker, leisure));
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	bool usable;

	wait_prepare_all(worker);
	usable = !worker->refusal;
	sem_post(&worker->prepared);
	if (usable) {
		publish_begin(worker);
		worker->counters.state = XDPLAB_STATE_RUNNING;
		if (worker->stream)
			stream_begin(worker->stream, clock_ns(CLOCK_MONOTONIC));
		run_turns(worker);
		if (worker->counters.fault)
			port_worker_ended(worker->port, worker->queue);
		worker->counters.streams = 0;
		worker->counters.state = worker->counters.fault ? XDPLAB_STATE_FAILED : XDPLAB_STATE_STOPPED;
		publish(worker, clock_ns(CLOCK_MONOTONIC));
	}
	wait_release_all(worker);
	return NULL;
}

int worker_start(struct worker *worker, struct xdplab_error *error)
{
	const uint32_t wait = clamp(knob(&worker->block->control.wait), 0, WAIT_COUNT - 1);

	if (worker->joinable)
		return 0;
	if (worker->counters.fault)
		return fail(error, XDPLAB_STEP_NONE, (int)worker->counters.fault, "start a worker whose path has ended");
	/* As a reconfiguration leaves it that failed twice. */
	if (!worker->rx || !worker->tx)
		return fail(error, XDPLAB_STEP_NONE, ENOTCONN, "start a worker whose path is closed");
	worker->wait_index = wait;
	pace_begin(worker); /* here, so that a step asked for from now on is taken */
	atomic_store_explicit(&worker->stop, false, memory_order_relaxed); /* the thread begins after this */
	sem_init(&worker->prepared, 0, 0);
	if (thread_start(&worker->thread, worker->cpu, worker->realtime, "xdplab-worker", worker_main, worker, error)) {
		sem_destroy(&worker->prepared);
		return -error->code;
	}
	worker->joinable = true;
	while (sem_wait(&worker->prepared) && errno == EINTR)
		;
	sem_destroy(&worker->prepared);
	if (!worker->refusal)
		return 0;
	worker_stop(worker);
	if (worker->rx->operations->wait)
		return fail(error, XDPLAB_STEP_PREPARE_PATH, worker->refusal, "prepare the receive path");
	return fail(error, XDPLAB_STEP_PREPARE_WAIT, worker->refusal, "prepare the wait strategy %s",
		    wait_strategies[wait]->name);
}

void worker_stop(struct worker *worker)
{
	if (!worker->joinable)
		return;
	atomic_store_explicit(&worker->stop, true, memory_order_release);
	pthread_join(worker->thread, NULL);
	worker->joinable = false;
}
