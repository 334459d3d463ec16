/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the kernel drops packets of chosen interfaces, from its tracepoints (xdp/drops.c, bpf/drops.bpf.c).
 */
#ifndef XDPLAB_INCLUDE_DROPS_H
#define XDPLAB_INCLUDE_DROPS_H

#include <stdint.h>

#include "include/error.h"

/* An interface, by the number (inode) of its network namespace and its index there. */
struct xdplab_drop_place {
	uint32_t network;
	uint32_t interface;
};

enum xdplab_drop_kind { XDPLAB_DROPPED_BY_STACK, XDPLAB_DROPPED_BY_XDP, XDPLAB_DROPPED_BY_REDIRECT };

struct xdplab_drop {
	struct xdplab_drop_place place;
	uint32_t kind;
	int32_t cause; /* a reason of the stack's; the XDP verdict that failed; a negative errno */
	uint64_t packets; /* since xdplab_drops_open */
};

struct xdplab_drops;
struct xdplab_drops *xdplab_drops_open(const char *program, const struct xdplab_drop_place *places, uint32_t count,
				       struct xdplab_error *error);
/* Fills in at most `room` of them. Returns how many, or a negative errno. */
int xdplab_drops_read(const struct xdplab_drops *drops, struct xdplab_drop *found, uint32_t room);
/* The kernel's name of a reason (enum skb_drop_reason), without its prefix; empty if it has none. Valid until the
 * object is closed. */
const char *xdplab_drops_reason(const struct xdplab_drops *drops, int32_t reason);
void xdplab_drops_close(struct xdplab_drops *drops);
/* Closes the object that `held` points to, unless NULL, and sets the pointer to NULL. */
void xdplab_drops_give_back(struct xdplab_drops **held);

#endif
