/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program at a simulated interface, as xdp.h has it at a real one.
 */
#ifndef XDPLAB_SOFT_PROGRAM_H
#define XDPLAB_SOFT_PROGRAM_H

#include "include/engine.h"

struct xdp;
struct xdp_options_of_port;

int soft_program_attach(struct xdp *xdp, const struct xdp_options_of_port *options, struct xdplab_error *error);

#endif
