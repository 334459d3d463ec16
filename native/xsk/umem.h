/* SPDX-License-Identifier: Apache-2.0
 *
 * UMEM: the frames that AF_XDP sockets receive into, one area cut into frames of equal size.
 *
 *     frame   | XDP's own 256 bytes | headroom | packet ...            |
 *             ^ base                           ^ where a descriptor points
 *
 * Aligned, the kernel finds the base by masking, so a frame is a power of two. Unaligned, a frame may begin
 * anywhere; a received descriptor then carries the base in its lower 48 bits and in the upper 16 where the
 * packet begins within (Documentation/networking/af_xdp.rst, Linux 6.18, "XDP_UMEM_REG").
 *
 * With transmit metadata, what the device is asked to do with a packet that is sent lies right in front of it, if its
 * descriptor says so (Documentation/networking/xsk-tx-metadata.rst, Linux 6.18). The kernel then rejects a descriptor
 * without room for that in its frame, whether it has any or not.
 */
#ifndef XDPLAB_UMEM_H
#define XDPLAB_UMEM_H

#include <stdbool.h>

#include "include/engine.h"
#include "include/umem.h"

struct umem_options {
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t headroom;
	uint32_t huge_pages; /* enum xdplab_huge_pages */
	bool unaligned;
	bool transmit_metadata;
	bool shared; /* in a memfd */
};

struct umem {
	uint8_t *area;
	uint64_t size;
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t headroom;
	bool unaligned;
	bool transmit_metadata;
	bool huge;
	int descriptor; /* of its sealed memfd, or -1 */
	struct xdplab_memory *memory; /* the area; others may hold it longer than the UMEM */
};

/* Twice the RX ring for each worker: so frames are lost only because the RX ring is full, never because the fill ring
 * is empty too. */
static inline uint32_t umem_received_frames(const struct xdplab_config *config)
{
	return 2 * config->ring_size;
}

/* A TX ring of frames for what the worker sends by itself. */
static inline uint32_t umem_spare_frames(const struct xdplab_config *config)
{
	return config->stream || config->delivers ? config->ring_size : 0;
}

static inline uint32_t umem_frames_of_worker(const struct xdplab_config *config)
{
	return umem_received_frames(config) + umem_spare_frames(config);
}

int umem_allocate(struct umem *umem, const struct umem_options *options, struct xdplab_error *error);
int umem_register(const struct umem *umem, int socket, struct xdplab_error *error);
void umem_free(struct umem *umem);

#endif
