/* SPDX-License-Identifier: Apache-2.0
 *
 * A receive path: where a worker's frames come from. A new path is one file path_*.c that fills in this
 * table; wait strategies, actions and telemetry work on it unchanged.
 *
 * A frame is a struct xdp_desc: where it begins in the path's area, its length, and whether its packet goes on
 * in the next (packet.h).
 */
#ifndef XDPLAB_PATH_H
#define XDPLAB_PATH_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include "packet.h"
#include "telemetry.h"

struct path;

struct path_operations {
	/* Takes up to `limit` frames that have arrived, oldest first, in whole packets; never waits. */
	uint32_t (*receive)(struct path *path, struct xdp_desc *frames, uint32_t limit);
	/* Gives frames back to be filled again, in any order. */
	void (*recycle)(struct path *path, const struct xdp_desc *frames, uint32_t count);
	/* A system call, where the kernel asks for one before it fills frames again; true if it was made. */
	bool (*kick)(struct path *path);
	/* How many frames transmit takes now. */
	uint32_t (*room)(const struct path *path);
	/* Hands frames to the kernel for sending, in this order; there must be room. */
	void (*transmit)(struct path *path, const struct xdp_desc *frames, uint32_t count);
	/* Takes back up to `limit` frames that the kernel is done with. */
	uint32_t (*complete)(struct path *path, struct xdp_desc *frames, uint32_t limit);
	/* Whether frames wait that the kernel won't send before it is kicked. */
	bool (*wants_kick)(struct path *path);
	/* Ring positions and the kernel's statistics: what was received here, and what was sent, on top of what
	 * they were when the path was opened. */
	void (*publish_receive)(struct path *path, const struct xdplab_counters *base,
				struct xdplab_counters *counters);
	void (*publish_transmit)(struct path *path, const struct xdplab_counters *base,
				 struct xdplab_counters *counters);
	/* Where the rings' ends are, and what is in their entries. */
	void (*show_receive)(struct path *path, struct xdplab_rings *rings);
	void (*show_transmit)(struct path *path, struct xdplab_rings *rings);
	/* 0, or the errno of what ended the path. */
	int (*fault)(struct path *path);
	void (*close)(struct path *path);
};

struct path {
	const struct path_operations *operations;
	uint8_t *area;
	int descriptor; /* readable when a frame waits */
	uint32_t peak;  /* most frames seen waiting since the last record */
	uint32_t queue;
	uint32_t packet_frames; /* most frames of a packet: 1, or with multi-buffer PACKET_FRAMES */
	bool metadata;          /* a struct frame_metadata stands in front of each packet */
	uint64_t too_long;      /* packets of more than that, dropped */
};

static inline bool path_has_long_packets(const struct path *path)
{
	return path->packet_frames > 1;
}

/* Packets in a batch. */
static inline uint32_t path_packets(const struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	return path_has_long_packets(path) ? packet_count(frames, count) : count;
}

#endif
