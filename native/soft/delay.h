/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that are late on purpose. On the wire's thread.
 */
#ifndef XDPLAB_SOFT_DELAY_H
#define XDPLAB_SOFT_DELAY_H

#include "soft/wire.h"

/* Holds frames back by up to jitter_ns; NULL where there is no memory. */
struct soft_delay *soft_delay_create(void);
void soft_delay_free(struct soft_delay *delay);
void soft_delay_put(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		    uint32_t count);
/* Whether one more is held without another's going for it. */
bool soft_delay_has_room(const struct soft_delay *delay, uint32_t length);
/* Lets those go that are due, or all; true if there were any. */
bool soft_delay_release(struct xdplab_wire *wire, uint32_t end, bool all);

#endif
