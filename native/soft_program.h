/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program at a simulated interface, as xdp.h has it at a real one.
 */
#ifndef XDPLAB_SOFT_PROGRAM_H
#define XDPLAB_SOFT_PROGRAM_H

#include "engine.h"

struct soft_program;
struct xdp_options_of_port;

/* NULL where it fails. */
struct soft_program *soft_program_attach(const struct xdp_options_of_port *options, struct xdplab_error *error);
/* It counts no more after the first, and its counts can be read until the second. */
void soft_program_detach(struct soft_program *program);
void soft_program_close(struct soft_program *program);
void soft_program_verdicts(const struct soft_program *program, struct xdplab_verdicts *verdicts);

#endif
