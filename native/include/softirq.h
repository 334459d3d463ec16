/* SPDX-License-Identifier: Apache-2.0
 *
 * Time that each core spends in network softirqs, from the kernel's tracepoints (xdp/softirq.c).
 */
#ifndef XDPLAB_INCLUDE_SOFTIRQ_H
#define XDPLAB_INCLUDE_SOFTIRQ_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_softirq;
struct xdplab_softirq *xdplab_softirq_open(const char *program, struct xdplab_error *error);
uint64_t xdplab_softirq_ns(const struct xdplab_softirq *softirq, uint32_t cpu);
/* The same, read from the map of a program that another process loaded. */
uint64_t xdplab_softirq_map_ns(int map, uint32_t cpu);
void xdplab_softirq_close(struct xdplab_softirq *softirq);
/* Closes the clock that `held` points to, unless NULL, and sets the pointer to NULL. */
void xdplab_softirq_give_back(struct xdplab_softirq **held);
/* Returns a read-only descriptor of the clock's map, which the caller closes, or a negative errno. Needs
 * CAP_SYS_ADMIN. */
int xdplab_softirq_read_only(const struct xdplab_softirq *softirq);

#endif
