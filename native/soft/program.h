/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program at a simulated interface; xdp.h has that at a real one.
 */
#ifndef XDPLAB_SOFT_PROGRAM_H
#define XDPLAB_SOFT_PROGRAM_H

#include "xdp/xdp.h"

extern const struct xdp_kind xdp_soft;

#endif
