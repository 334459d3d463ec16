/* SPDX-License-Identifier: Apache-2.0
 *
 * Generators at a wire's ends. On the wire's thread.
 */
#ifndef XDPLAB_SOFT_GENERATOR_H
#define XDPLAB_SOFT_GENERATOR_H

#include "soft/wire.h"

/* Sends what is due; true if anything was. */
bool soft_generate(struct xdplab_wire *wire, uint32_t end);
void soft_generators_end(struct xdplab_wire *wire, int fault);

#endif
