/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets as blocks of a pcapng file (base/pcapng.c).
 */
#ifndef XDPLAB_INCLUDE_PCAPNG_H
#define XDPLAB_INCLUDE_PCAPNG_H

#include <stdint.h>

#include "include/frame.h"

/* Bytes of the blocks of these packets. */
uint64_t xdplab_pcapng_size(const struct xdplab_frame *frames, uint32_t count);
/* Writes an Enhanced Packet Block for each packet, of interface 0, whose times are in nanoseconds. The frames of a long
 * packet are joined. */
void xdplab_pcapng_write(const uint8_t *area, const struct xdplab_frame *frames, const int64_t *times_ns,
			 uint32_t count, uint8_t *blocks);

#endif
