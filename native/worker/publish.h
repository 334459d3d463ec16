/* SPDX-License-Identifier: Apache-2.0
 *
 * How a worker's counters get into the history ring.
 */
#ifndef XDPLAB_PUBLISH_H
#define XDPLAB_PUBLISH_H

#include "shared/worker.h"

/* Where the thread's clocks begin; a worker may be started more than once. */
void publish_begin(struct worker *worker);
/* Completes the counters and writes a record. */
void publish(struct worker *worker, uint64_t now_ns);
/* Without the thread's own part: all that can be told of a worker whose thread has ended. */
void publish_record(struct worker *worker, uint64_t now_ns);

#endif
