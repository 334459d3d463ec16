/* SPDX-License-Identifier: Apache-2.0
 *
 * From the TX ring to the wire. Called on the wire's thread.
 */
#ifndef XDPLAB_SOFT_TRANSMIT_H
#define XDPLAB_SOFT_TRANSMIT_H

#include "soft/wire.h"

/* Takes up to a batch from the TX ring. True if there were any frames. */
bool soft_transmit(struct soft_socket *socket);
bool soft_has_to_transmit(struct soft_socket *socket);

#endif
