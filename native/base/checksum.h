/* SPDX-License-Identifier: Apache-2.0
 *
 * Checksums that a sending stack left to its device.
 *
 * If its device offers checksum offload (as veth, TAP and loopback do), a stack writes only the sum of the
 * pseudo-header into the checksum of TCP and UDP, and 0 into that of SCTP; the device must add the rest
 * (CHECKSUM_PARTIAL in the kernel's skbuff.h). A veth passes such a frame on as it is, with a note beside it that
 * AF_XDP does not pass to the worker. If the worker sends the frame on without finishing it, the receiver drops it.
 *
 *     finished        the field is the complement of the sum over pseudo-header, header and payload
 *     unfinished      it is the sum over the pseudo-header alone, not complemented
 *     anything else   it is wrong, and stays so
 *
 * 1 in 65,536 of the wrong frames looks unfinished by chance and is finished. A correct frame is never changed: if it
 * fits both patterns, finishing gives the same value.
 *
 * It looks after VLAN tags, IPv4 options, IPv6 extension headers, and inside IP-in-IP, GRE, VXLAN and Geneve. It never
 * changes a fragment: the checksum covers the whole datagram, and a stack finishes it before it fragments.
 */
#ifndef XDPLAB_CHECKSUM_H
#define XDPLAB_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/packet.h"

/* Whether a packet's checksum is unfinished. If its headers are not all in its first frame, it counts as finished. */
bool checksum_is_unfinished(const uint8_t *area, const struct xdp_desc *frames, uint32_t count);
/* The offset in the packet of an unfinished checksum; 0 if there is none. */
uint32_t checksum_unfinished_at(const uint8_t *area, const struct xdp_desc *frames, uint32_t count);
/* Finishes it; true if it was unfinished. */
bool checksum_finish(uint8_t *area, const struct xdp_desc *frames, uint32_t count);

/* What a device must know to finish a checksum: which bytes it covers, and where it goes. */
struct checksum_place {
	uint16_t begin; /* offset in the packet, from which the sum runs to the packet's end */
	uint16_t field; /* offset behind `begin` */
};
/* Finds an unfinished checksum that a device can finish: a sum, over the packet to its end. */
bool checksum_for_device(const uint8_t *area, const struct xdp_desc *frames, uint32_t count,
			 struct checksum_place *place);

#endif
