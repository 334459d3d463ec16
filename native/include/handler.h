/* SPDX-License-Identifier: Apache-2.0
 *
 * Attaching a handler (xdplab_handler.h) to an engine's workers, whose action `handler` calls it (act/action_handler.c).
 */
#ifndef XDPLAB_INCLUDE_HANDLER_H
#define XDPLAB_INCLUDE_HANDLER_H

#include "include/engine.h"
#include <xdplab_handler.h>

/* A handler with its state. It must not change, and must live until no worker uses it any more. */
struct xdplab_handling {
	xdplab_handler *function;
	void *state;
	uint64_t number; /* another one for each */
	uint32_t sends;  /* 0: it never sends, so that checksums need no look */
};

/* Makes all workers use another handler from their next batch on; NULL: none. A worker that is inside of the old one now
 * goes on with it: xdplab_engine_inside_handler tells. May be called while another thread stops the engine. */
void xdplab_engine_set_handler(struct xdplab_engine *engine, const struct xdplab_handling *handling);
/* CLOCK_MONOTONIC when the worker began the batch that it is calling a handler for; 0 if it is calling none. If this
 * changes after xdplab_engine_set_handler, the worker has left the old one. */
uint64_t xdplab_engine_inside_handler(const struct xdplab_engine *engine, uint32_t worker);
/* Whether a handler has not returned for so long that it may never do so. */
int xdplab_engine_is_held(const struct xdplab_engine *engine, uint32_t worker);

#endif
