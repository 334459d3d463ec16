/* SPDX-License-Identifier: Apache-2.0
 *
 * The stack at a wire's end, which answers echo requests and sends some. Called on the wire's thread.
 */
#ifndef XDPLAB_SOFT_STACK_H
#define XDPLAB_SOFT_STACK_H

#include "soft/wire.h"

/* Receives a frame that no engine takes. */
void soft_stack_receive(struct xdplab_wire *wire, uint32_t end, const struct soft_frame *frame);
/* Sends the echo requests that are due; true if there were any. */
bool soft_ping(struct xdplab_wire *wire, uint32_t end);
void soft_pings_end(struct xdplab_wire *wire, int fault);

#endif
