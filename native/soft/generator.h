/* SPDX-License-Identifier: Apache-2.0
 *
 * Generators at a wire's ends. Called on the wire's thread.
 */
#ifndef XDPLAB_SOFT_GENERATOR_H
#define XDPLAB_SOFT_GENERATOR_H

#include "soft/wire.h"

/* Sends the frames that are due; true if there were any. */
bool soft_generate(struct xdplab_wire *wire, uint32_t end);
void soft_generators_end(struct xdplab_wire *wire, int fault);

#endif
