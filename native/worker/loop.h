/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's turns, one at a time: its own thread takes them in a loop (worker/worker.c), and callers take those of a
 * capture (worker/capture.c). What a turn does stands in shared/worker.h.
 */
#ifndef XDPLAB_LOOP_H
#define XDPLAB_LOOP_H

#include "shared/worker.h"

/* Turns begin now. */
void loop_begin(struct worker *worker);
/* Takes a turn, and waits for packets at most until `until_ns` or the next record. False if the path has ended. */
bool loop_turn(struct worker *worker, uint64_t until_ns);

#endif
