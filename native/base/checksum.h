/* SPDX-License-Identifier: Apache-2.0
 *
 * Checksums that a sending stack left to its device.
 *
 * A stack whose device offers to (veth, TAP, loopback do) writes into the checksum of TCP and UDP no more than the
 * sum of the pseudo-header, and of SCTP a zero; the device is to add the rest (CHECKSUM_PARTIAL in the kernel's
 * skbuff.h). A veth passes such a frame on as it is, with a note beside it that AF_XDP does not hand over. Whoever
 * sends the frame on has to finish it, or whoever receives it drops it.
 *
 *     finished        the field is the complement of the sum over pseudo-header, header and payload
 *     unfinished      it is the sum over the pseudo-header alone, not complemented
 *     anything else   it is wrong, and stays so
 *
 * A frame that is wrong by chance in the way of an unfinished one (1 in 65,536 of those that are wrong) is taken for
 * one. A frame that is right is never changed: where both patterns fit, finishing comes to the same.
 *
 * Looked for behind VLAN tags, IPv4 options, IPv6 extension headers, and in what IP-in-IP, GRE, VXLAN and Geneve
 * carry. A fragment is never touched: its checksum is of the whole datagram, and a stack finishes it before it cuts.
 */
#ifndef XDPLAB_CHECKSUM_H
#define XDPLAB_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/packet.h"

/* Whether a packet's checksum is unfinished. All its headers are in its first frame, or it is taken for finished. */
bool checksum_is_unfinished(const uint8_t *area, const struct xdp_desc *frames, uint32_t count);
/* Finishes it; true if it was unfinished. */
bool checksum_finish(uint8_t *area, const struct xdp_desc *frames, uint32_t count);

#endif
