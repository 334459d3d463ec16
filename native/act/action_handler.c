/* SPDX-License-Identifier: Apache-2.0
 *
 * handler: calls a function of the user's for each packet, and does what it says (xdplab/include/xdplab_handler.h).
 *
 * Another thread replaces the handler while this one runs. Each batch the worker writes down when it began, and then
 * looks which handler there is; the other thread puts the new one there, and then looks what is written down. Both are
 * sequentially consistent, so one sees the other: who sees 0, or a later time, knows that the old handler is left.
 */
#include "shared/action.h"

#include <linux/if_ether.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/knob.h"
#include "include/handler.h"
#include "shared/worker.h"

enum fate { FATE_RECYCLE, FATE_TRANSMIT, FATE_DELIVER };

/* What is the same for all packets of a batch. */
struct call {
	const struct xdplab_handling *handling;
	uint32_t frame_size;
	bool is_power_of_two; /* the frame size, so that no division is needed */
	bool long_packets;
	enum fate fates[XDPLAB_DELIVER + 1];           /* by verdict */
	enum xdplab_handled kinds[XDPLAB_DELIVER + 1]; /* likewise */
	struct xdplab_packet packet;
};

/* What this engine can do. A worker sends through one path: its own, or that of the other interface. */
static struct call begin_call(const struct worker *worker, const struct xdplab_handling *handling, uint64_t now_ns)
{
	const bool joins = worker->tx != worker->rx;
	const bool returns = handling->sends && !joins, forwards = handling->sends && joins;
	const enum xdplab_handled refused = XDPLAB_HANDLED_REFUSED;

	return (struct call){
		.handling = handling,
		.frame_size = worker->frame_size,
		.is_power_of_two = !(worker->frame_size & (worker->frame_size - 1)),
		.long_packets = path_has_long_packets(worker->rx),
		.fates = {
			[XDPLAB_SEND_BACK] = returns ? FATE_TRANSMIT : FATE_RECYCLE,
			[XDPLAB_FORWARD] = forwards ? FATE_TRANSMIT : FATE_RECYCLE,
			[XDPLAB_DELIVER] = worker->delivery ? FATE_DELIVER : FATE_RECYCLE,
		},
		.kinds = {
			[XDPLAB_SEND_BACK] = returns ? XDPLAB_HANDLED_SEND_BACK : refused,
			[XDPLAB_FORWARD] = forwards ? XDPLAB_HANDLED_FORWARD : refused,
			[XDPLAB_DELIVER] = worker->delivery ? XDPLAB_HANDLED_DELIVER : refused,
		},
		.packet = { .time_ns = now_ns, .queue = worker->queue, .worker = worker->index },
	};
}

static uint32_t room_of(const struct call *call, uint64_t address)
{
	const uint64_t offset = call->is_power_of_two ? address & (call->frame_size - 1) : address % call->frame_size;

	return call->frame_size - (uint32_t)offset;
}

/* Calls the handler for a packet of `count` frames, and says what is to be done with it. */
static inline enum fate ask(struct worker *worker, const struct call *call, struct xdp_desc *frames, uint32_t count)
{
	uint64_t *handled = worker->counters.handled;
	struct xdplab_packet packet = call->packet;
	uint32_t verdict;

	packet.length = frames->len;
	packet.room = room_of(call, frames->addr);
	packet.total = count == 1 ? frames->len : packet_length(frames, count);
	verdict = call->handling->function(worker->rx->area + frames->addr, &packet, call->handling->state);
	if (verdict > XDPLAB_DELIVER) {
		handled[XDPLAB_HANDLED_UNKNOWN]++;
		return FATE_RECYCLE;
	}
	if (packet.length != frames->len && verdict != XDPLAB_DROP) {
		if (count > 1 || packet.length < ETH_HLEN || packet.length > room_of(call, frames->addr)) {
			handled[XDPLAB_HANDLED_UNKNOWN]++;
			return FATE_RECYCLE;
		}
		frames->len = packet.length;
	}
	handled[call->kinds[verdict]]++;
	return call->fates[verdict];
}

static void dispose(struct worker *worker, enum fate fate, const struct xdp_desc *frames, uint32_t count)
{
	if (fate == FATE_TRANSMIT)
		worker_transmit(worker, frames, count);
	else if (fate == FATE_DELIVER)
		action_deliver.run(worker, frames, count);
	else
		worker->rx->operations->recycle(worker->rx, frames, count);
}

/* The handler was taken away within this turn, after the action was set to another one. */
static void do_without(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	const uint64_t index = knob(&worker->block->control.action);

	if (worker->delivery) {
		action_deliver.run(worker, frames, count);
		return;
	}
	worker_look_at_checksums(worker, count, false);
	actions[index < ACTION_handler ? index : ACTION_drop]->run(worker, frames, count);
}

static void note_time(struct worker *worker, uint64_t number, uint64_t taken_ns, uint32_t packets)
{
	struct xdplab_counters *counters = &worker->counters;

	if (number != worker->timed) {
		worker->timed = number;
		counters->handler_longest_ns = 0;
	}
	counters->handler_batches++;
	counters->handler_ns += taken_ns;
	counters->handler_over_budget += taken_ns > knob(&worker->block->control.handler_budget_ns);
	if (taken_ns > counters->handler_longest_ns) {
		counters->handler_longest_ns = taken_ns;
		counters->handler_longest_packets = packets;
	}
}

/* Packets of the same fate go on together. `frames` are the worker's own, whose lengths a handler may change. */
static void run(struct worker *worker, const struct xdp_desc *frames, uint32_t count)
{
	const uint32_t packets = path_packets(worker->rx, frames, count);
	const uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
	struct xdp_desc *each = worker->frames + (frames - worker->frames);
	const struct xdplab_handling *handling;
	enum fate fate = FATE_RECYCLE, next;
	uint32_t begin = 0, size;
	struct call call;

	atomic_store(&worker->block->watch.handler_ns, begun_ns);
	handling = atomic_load(&worker->handling);
	if (handling) {
		if (handling->sends)
			worker_look_at_checksums(worker, count, false);
		call = begin_call(worker, handling, begun_ns);
		for (uint32_t i = 0; i < count; i += size) {
			size = call.long_packets ? packet_frames(each + i) : 1;
			next = ask(worker, &call, each + i, size);
			if (next != fate && i > begin) {
				dispose(worker, fate, frames + begin, i - begin);
				begin = i;
			}
			fate = next;
		}
		note_time(worker, handling->number, clock_ns(CLOCK_MONOTONIC) - begun_ns, packets);
	}
	/* Release: the old handler's last access comes before. */
	atomic_store_explicit(&worker->block->watch.handler_ns, 0, memory_order_release);
	if (handling)
		dispose(worker, fate, frames + begin, count - begin);
	else
		do_without(worker, frames, count);
}

const struct action action_handler = {
	.name = "handler",
	.verdict = XDPLAB_VERDICT_HANDLER,
	.transmits = true,
	.looks_itself = true,
	.run = run,
};
