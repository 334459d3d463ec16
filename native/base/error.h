/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills in an error: the step, the errno, and in words what was tried.
 */
#ifndef XDPLAB_ERROR_H
#define XDPLAB_ERROR_H

#include "include/error.h"

/* Fills in the error and returns -code. */
__attribute__((format(printf, 4, 5)))
int fail(struct xdplab_error *error, enum xdplab_step step, int code, const char *tried, ...);

#endif
