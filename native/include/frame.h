/* SPDX-License-Identifier: Apache-2.0
 *
 * A received frame: the place of its bytes in an area of memory, such as a UMEM.
 */
#ifndef XDPLAB_INCLUDE_FRAME_H
#define XDPLAB_INCLUDE_FRAME_H

#include <stdint.h>

/* The layout, and the option, of the kernel's struct xdp_desc, which xsk/xsk.c asserts. */
enum { XDPLAB_FRAME_CONTINUES = 1 };

struct xdplab_frame {
	uint64_t address; /* of its first byte, from the begin of the area */
	uint32_t length;
	uint32_t options; /* XDPLAB_FRAME_CONTINUES (XDP_PKT_CONTD): the next frame continues the packet */
};

#endif
