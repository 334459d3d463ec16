/* SPDX-License-Identifier: Apache-2.0
 *
 * Which system calls a process of the broker's may still make.
 */
#ifndef XDPLAB_FILTER_H
#define XDPLAB_FILTER_H

#include "include/privilege.h"

/* Of the calling thread, for good; filter is one of enum xdplab_filter. */
int filter_load(uint32_t filter, struct xdplab_error *error);

#endif
