/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata in front of a received frame.
 */
#ifndef XDPLAB_WORKER_METADATA_H
#define XDPLAB_WORKER_METADATA_H

#include "include/metadata.h"

/* All 0 if the program wrote none, for want of room. */
struct xdplab_metadata metadata_before(const uint8_t *frame);

#endif
