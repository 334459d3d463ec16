/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a worker's counters into the history ring.
 */
#ifndef XDPLAB_PUBLISH_H
#define XDPLAB_PUBLISH_H

#include "shared/worker.h"

/* Notes the start values of the thread's clocks; a worker may be started more than once. */
void publish_begin(struct worker *worker);
/* Completes the counters and writes a record. */
void publish(struct worker *worker, uint64_t now_ns);
/* The same without the thread's own clocks, for a worker whose thread has ended. */
void publish_record(struct worker *worker, uint64_t now_ns);

#endif
