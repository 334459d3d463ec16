/* SPDX-License-Identifier: Apache-2.0
 *
 * An action: handles a batch of received frames. A new one is one file action_*.c and one entry in the table below.
 */
#ifndef XDPLAB_ACTION_H
#define XDPLAB_ACTION_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

struct action {
	const char *name;
	uint32_t verdict; /* enum xdplab_verdict, for the samples */
	bool transmits;   /* the worker receives no more frames than the TX ring has room for */
	bool looks_itself; /* at checksums, which else the worker does in front of an action that transmits */
	/* Recycles, sends or delivers every frame that it is given: whole packets. */
	void (*run)(struct worker *worker, const struct xdp_desc *frames, uint32_t count);
	/* Sends up to `limit` frames of its own that are due; returns their number. Optional. */
	uint32_t (*produce)(struct worker *worker, uint32_t limit, uint64_t now_ns);
};

/* The table, in the order of the indices that the control block carries. */
#define ACTIONS(entry) \
	entry(drop) \
	entry(reflect) \
	entry(echo) \
	entry(forward) \
	entry(generate) \
	entry(handler) \
	entry(deliver)

#define ACTION_INDEX(name) ACTION_##name,
enum { ACTIONS(ACTION_INDEX) ACTION_COUNT };
#undef ACTION_INDEX

#define ACTION_DECLARE(name) extern const struct action action_##name;
ACTIONS(ACTION_DECLARE)
#undef ACTION_DECLARE

extern const struct action *const actions[ACTION_COUNT];

#endif
