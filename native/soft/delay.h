/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that are delayed on purpose. Called on the wire's thread.
 */
#ifndef XDPLAB_SOFT_DELAY_H
#define XDPLAB_SOFT_DELAY_H

#include "soft/wire.h"

/* Makes a store for frames that are delayed by up to jitter_ns; NULL if there is no memory. */
struct soft_delay *soft_delay_create(void);
void soft_delay_free(struct soft_delay *delay);
void soft_delay_put(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		    uint32_t count);
/* Whether one more frame can be held without releasing another early. */
bool soft_delay_has_room(const struct soft_delay *delay, uint32_t length);
/* Delivers the frames that are due, or all; true if there were any. */
bool soft_delay_release(struct xdplab_wire *wire, uint32_t end, bool all);

#endif
