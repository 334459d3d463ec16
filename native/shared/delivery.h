/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that a turn leaves to the caller that runs it: a worker of a capture has no thread of its own
 * (worker/capture.c).
 */
#ifndef XDPLAB_DELIVERY_H
#define XDPLAB_DELIVERY_H

#include <linux/if_xdp.h>
#include <stdint.h>
#include <sys/types.h>

struct delivery {
	struct xdp_desc *frames; /* the caller's, with room for as many frames as a batch has */
	uint32_t room;
	uint32_t count;
	struct packet_filter *filter; /* of packets that the caller wants; NULL: all */
	pid_t thread; /* for which the wait strategies are prepared; 0: for none */
};

#endif
