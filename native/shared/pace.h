/* SPDX-License-Identifier: Apache-2.0
 *
 * A paced worker: slowed to a batch every so often, or stopped but for single steps, so that a person can follow
 * a frame from ring to ring. While it is, what its rings hold is published many times a second; of a worker that
 * runs freely, with each record.
 */
#ifndef XDPLAB_PACE_H
#define XDPLAB_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct pace {
	uint64_t last_ns; /* when the last turn began */
	uint64_t steps;   /* that were taken, of the control block's count */
	uint64_t shown;   /* how often the rings were published */
};

/* Steps that were asked for before are not taken any more. */
void pace_begin(struct worker *worker);
/* Whether the worker is paced. Of one that is not, steps that were asked for count as taken. */
bool pace_is_set(struct worker *worker);
/* Whether a turn is due, which is then taken as begun. */
bool pace_take_turn(struct worker *worker, uint64_t now_ns);
/* Publishes what the rings hold. */
void pace_show_rings(struct worker *worker, uint64_t now_ns);
/* Sleeps until the next turn or record is due, or somebody may have turned a knob. */
void pace_nap(struct worker *worker, uint64_t now_ns);

#endif
