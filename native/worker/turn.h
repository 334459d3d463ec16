/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's packet work in a turn: it takes back sent frames, receives, runs the action, and sends its stream.
 */
#ifndef XDPLAB_TURN_H
#define XDPLAB_TURN_H

#include "shared/action.h"
#include "shared/worker.h"
#include "worker/sample.h"

/* The control block's values for this turn. */
struct settings {
	uint32_t batch;
	uint32_t burst;
	uint32_t action_index;
	const struct action *action;
	struct sampling sampling;
};

/* Returns sent frames to the fill ring they came from. Bounded like receiving, so that neither starves the other. */
void turn_take_back_sent(struct worker *worker, uint32_t burst);
/* Receives one batch and runs the action on it. */
void turn_receive_batch(struct worker *worker, const struct settings *settings);
/* Receives batch after batch until no packet is left or the burst is used up; returns the number of frames. */
uint32_t turn_receive_burst(struct worker *worker, const struct settings *settings);
/* Whether it has frames of its own to send, now or later. */
bool turn_produces(const struct worker *worker, const struct settings *settings, uint64_t now_ns);
/* Sends the stream's frames that are due, and adds their number to `handled`. Returns how long the worker may wait
 * until the next frame is due. */
uint64_t turn_generate(struct worker *worker, const struct settings *settings, uint64_t now_ns, uint32_t *handled);

#endif
