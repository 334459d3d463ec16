/* SPDX-License-Identifier: Apache-2.0
 *
 * From the wire to the RX ring. Called on the wire's thread.
 */
#ifndef XDPLAB_SOFT_DELIVER_H
#define XDPLAB_SOFT_DELIVER_H

#include "soft/wire.h"

/* Frames arrive at an end: delivers them now or delayed. */
void soft_arrive(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		 uint32_t count);
/* Delivers frames at an end now. */
void soft_deliver(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		  uint32_t count);

#endif
