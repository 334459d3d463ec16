/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits the system calls that a process of the broker may make.
 */
#ifndef XDPLAB_FILTER_H
#define XDPLAB_FILTER_H

#include "include/privilege.h"

/* Loads a filter (enum xdplab_filter) for the calling thread, for good. */
int filter_load(uint32_t filter, struct xdplab_error *error);

#endif
