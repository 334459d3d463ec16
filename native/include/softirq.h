/* SPDX-License-Identifier: Apache-2.0
 *
 * Time in the network softirqs, core by core, from the kernel's own tracepoints (xdp/softirq.c).
 */
#ifndef XDPLAB_INCLUDE_SOFTIRQ_H
#define XDPLAB_INCLUDE_SOFTIRQ_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_softirq;
struct xdplab_softirq *xdplab_softirq_open(const char *program, struct xdplab_error *error);
uint64_t xdplab_softirq_ns(const struct xdplab_softirq *softirq, uint32_t cpu);
/* The same by the program's map, where someone else loaded it. */
uint64_t xdplab_softirq_map_ns(int map, uint32_t cpu);
void xdplab_softirq_close(struct xdplab_softirq *softirq);
/* Closes what `held` points to, if anything, and sets that to NULL. */
void xdplab_softirq_give_back(struct xdplab_softirq **held);
/* A descriptor of the clock's map with which it can be read and not changed, for the caller to close; or a
 * negative errno. Needs CAP_SYS_ADMIN. */
int xdplab_softirq_read_only(const struct xdplab_softirq *softirq);

#endif
