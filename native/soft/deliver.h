/* SPDX-License-Identifier: Apache-2.0
 *
 * From the wire to the RX ring. On the wire's thread.
 */
#ifndef XDPLAB_SOFT_DELIVER_H
#define XDPLAB_SOFT_DELIVER_H

#include "soft/wire.h"

/* Frames come to an end, on time or late. */
void soft_arrive(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		 uint32_t count);
/* Frames have come to an end. */
void soft_deliver(struct xdplab_wire *wire, uint32_t end, uint32_t queue, const struct soft_frame *frames,
		  uint32_t count);

#endif
