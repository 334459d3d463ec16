/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker of a capture, whose turns its callers run.
 */
#ifndef XDPLAB_CAPTURE_H
#define XDPLAB_CAPTURE_H

#include "shared/worker.h"

/* Prepares the worker for the calling thread. 0, or a negative errno: the wait strategy can't be used. */
int capture_begin(struct worker *worker, struct xdplab_error *error);
void capture_end(struct worker *worker);

#endif
