/* SPDX-License-Identifier: Apache-2.0
 *
 * A plain UDP echo, the baseline for the engine's: a pinned thread sends each datagram back to its sender
 * (send/udp_echo.c). The caller owns the socket, which is blocking and bound, and can't be used any more after stop.
 */
#ifndef XDPLAB_INCLUDE_UDP_ECHO_H
#define XDPLAB_INCLUDE_UDP_ECHO_H

#include <stdint.h>

#include "include/error.h"

enum xdplab_udp_echo_mode { XDPLAB_UDP_ECHO_BLOCKING, XDPLAB_UDP_ECHO_EPOLL };
struct xdplab_udp_echo;
struct xdplab_udp_echo *xdplab_udp_echo_start(int descriptor, uint32_t mode, int32_t cpu,
					      struct xdplab_error *error);
void xdplab_udp_echo_stop(struct xdplab_udp_echo *echo); /* ends the thread and frees it */
uint64_t xdplab_udp_echo_answered(const struct xdplab_udp_echo *echo);
uint64_t xdplab_udp_echo_refused(const struct xdplab_udp_echo *echo); /* answers that the stack rejected */
int xdplab_udp_echo_fault(const struct xdplab_udp_echo *echo); /* errno that ended it, or 0 */

#endif
