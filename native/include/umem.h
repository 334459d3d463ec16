/* SPDX-License-Identifier: Apache-2.0
 *
 * A UMEM that another process may register with an AF_XDP socket (xsk/register_umem.c).
 */
#ifndef XDPLAB_INCLUDE_UMEM_H
#define XDPLAB_INCLUDE_UMEM_H

#include <stdint.h>

#include "include/error.h"

/* Bytes that metadata of a sent packet take in front of it. */
enum { XDPLAB_TRANSMIT_METADATA = 24 };

struct xdplab_umem {
	int32_t descriptor; /* of the sealed memfd that holds it, owned by the engine */
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t headroom;
	uint32_t unaligned;
	uint32_t transmit_metadata; /* 1: sent packets may have metadata in front (native/xsk/umem.h) */
};

/* Registers a memfd's frames with an AF_XDP socket, which pins and holds them from then on. */
int xdplab_register_umem(int socket, int memory, const struct xdplab_umem *frames, struct xdplab_error *error);

#endif
