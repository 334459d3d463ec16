/* SPDX-License-Identifier: Apache-2.0
 *
 * An AF_XDP socket with its four rings, using the kernel's interface directly (linux/if_xdp.h).
 */
#ifndef XDPLAB_XSK_H
#define XDPLAB_XSK_H

#include "xsk/ring.h"
#include "xsk/umem.h"

struct xsk {
	int descriptor;
	struct ring fill;
	struct ring completion;
	struct ring rx;
	struct ring tx;
};

struct xsk_options {
	uint32_t interface_index;
	uint32_t queue;
	uint32_t ring_size;
	uint32_t fill_ring_size;
	uint32_t completion_ring_size;
	uint32_t bind_mode; /* enum xdplab_bind_mode */
	uint32_t first_frame; /* the fill ring begins with this frame of the UMEM and those that follow */
	uint32_t fill_frames;
	bool multi_buffer; /* a packet may fill several frames */
	bool metadata;     /* the XDP program writes a struct frame_metadata in front of each packet */
	int umem_owner; /* the socket with which the UMEM was registered, or -1: this is the first */
	bool joins;     /* that socket is on the same queue: this one has no fill and no completion ring */
	bool umem_registered; /* by another process, with this socket */
	bool closed; /* a socket that is still bound to the queue was closed, as far as can be known */
};

/* Owns the descriptor from then on, even if it fails. */
int xsk_open(struct xsk *xsk, int descriptor, const struct umem *umem, const struct xsk_options *options,
	     struct xdplab_error *error);
/* Puts frames of the UMEM that follow each other into a fill ring. */
void xsk_fill(struct ring *fill, const struct umem *umem, uint32_t first_frame, uint32_t count);
void xsk_close(struct xsk *xsk);
bool xsk_zero_copy(const struct xsk *xsk);
/* Reads XDP_STATISTICS; false if the kernel refuses. */
bool xsk_statistics(const struct xsk *xsk, struct xdp_statistics *statistics);
/* Reads SO_ERROR: 0, or the errno of the interface's failure since the last call. */
int xsk_fault(const struct xsk *xsk);

#endif
