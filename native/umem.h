/* SPDX-License-Identifier: Apache-2.0
 *
 * UMEM: the frames that an AF_XDP socket receives into, one area cut into frames of equal size.
 */
#ifndef XDPLAB_UMEM_H
#define XDPLAB_UMEM_H

#include "engine.h"

struct umem {
	uint8_t *area;
	uint64_t size;
	uint32_t frame_size;
	uint32_t frame_count;
};

int umem_allocate(struct umem *umem, uint32_t frame_size, uint32_t frame_count, struct xdplab_error *error);
int umem_register(const struct umem *umem, int socket, struct xdplab_error *error);
void umem_free(struct umem *umem);

#endif
