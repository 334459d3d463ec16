/* SPDX-License-Identifier: Apache-2.0
 *
 * A paced worker: it takes a batch at a set interval, or only single steps, so that a person can follow a frame from
 * ring to ring. A paced worker publishes the contents of its rings many times a second; any other, with each record.
 */
#ifndef XDPLAB_PACE_H
#define XDPLAB_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct pace {
	uint64_t last_ns; /* when the last turn began */
	uint64_t steps;   /* taken, out of the control block's count */
	uint64_t shown;   /* times that the rings were published */
};

/* Discards steps that were requested before. */
void pace_begin(struct worker *worker);
/* Whether the worker is paced. If not, requested steps count as taken. */
bool pace_is_set(struct worker *worker);
/* Whether a turn is due; if so, marks it as begun. */
bool pace_take_turn(struct worker *worker, uint64_t now_ns);
/* Publishes the contents of the rings. */
void pace_show_rings(struct worker *worker, uint64_t now_ns);
/* Sleeps until the next turn or record is due, but never so long that a changed knob would wait. */
void pace_nap(struct worker *worker, uint64_t now_ns);

#endif
