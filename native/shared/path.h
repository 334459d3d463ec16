/* SPDX-License-Identifier: Apache-2.0
 *
 * A receive path: where a worker's frames come from. A new one is one file path_*.c and one entry in the table
 * below. Actions and telemetry work on it unchanged, and wait strategies too if its descriptor can be polled.
 *
 * A frame is a struct xdp_desc: where it begins in the path's area, its length, and whether its packet goes on
 * in the next (packet.h).
 *
 * A path that needs a system call to receive makes it in `wait`, and `receive` hands out the fetched packets: so the
 * worker's time per packet is measured apart from the kernel's.
 */
#ifndef XDPLAB_PATH_H
#define XDPLAB_PATH_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/engine.h"
#include "base/packet.h"

struct io_uring_sqe;
struct path;
struct worker;
struct xdp;
struct xdp_kind;

struct path_operations {
	/* Takes up to `limit` frames that have arrived, oldest first, in whole packets; never waits. */
	uint32_t (*receive)(struct path *path, struct xdp_desc *frames, uint32_t limit);
	/* Returns frames to be filled again, in any order. */
	void (*recycle)(struct path *path, const struct xdp_desc *frames, uint32_t count);
	/* Makes a system call if the kernel asks for one before it fills frames again; true if it was made. */
	bool (*kick)(struct path *path);
	/* Number of frames that transmit takes now. */
	uint32_t (*room)(const struct path *path);
	/* Hands frames to the kernel for sending, in this order; there must be room. */
	void (*transmit)(struct path *path, const struct xdp_desc *frames, uint32_t count);
	/* Takes back up to `limit` frames that the kernel has sent. */
	uint32_t (*complete)(struct path *path, struct xdp_desc *frames, uint32_t limit);
	/* Whether frames wait that the kernel sends only after a kick. */
	bool (*wants_kick)(struct path *path);
	/* Add ring positions and the kernel's statistics of receiving, and of sending, to `base`, the counts when the
	 * path was opened. */
	void (*publish_receive)(struct path *path, const struct xdplab_counters *base,
				struct xdplab_counters *counters);
	void (*publish_transmit)(struct path *path, const struct xdplab_counters *base,
				 struct xdplab_counters *counters);
	/* Fill in the rings' positions and entries. */
	void (*show_receive)(struct path *path, struct xdplab_rings *rings);
	void (*show_transmit)(struct path *path, struct xdplab_rings *rings);
	/* 0, or the errno that ended the path. Called at each publish. */
	int (*fault)(struct path *path);
	void (*close)(struct path *path);

	/* The rest is optional. */

	/* Waits and fetches in the path's own way, without a wait strategy. It returns by `timeout_ns`, or soon
	 * after; with a timeout of 0 it does not sleep. True if it returned at once because there was nothing to do. */
	bool (*wait)(struct path *path, struct worker *worker, uint64_t timeout_ns);
	/* Called on the worker's thread when it begins and ends. 0, or a negative errno: can't be used. */
	int (*begin)(struct path *path);
	void (*end)(struct path *path);
	/* Called when the port's XDP program has been attached. */
	int (*attached)(struct path *path, const struct xdp *xdp, struct xdplab_error *error);
	/* Whether that program still sends packets to this path. */
	bool (*is_reached)(const struct path *path, const struct xdp *xdp);
};

/* Operations that differ between a kernel socket (receive/port_xsk.c) and a simulated one (soft/port.c); wait
 * strategies call them. Calls of a simulated socket count as the system calls that they replace. */
struct port_operations {
	/* Asks the kernel to send the frames in the TX ring. 0, or the errno that ends the path. */
	int (*kick)(struct path *path);
	/* The same, as an entry of an io_uring. */
	void (*prepare_kick)(struct path *path, struct io_uring_sqe *entry);
	/* After the kick of a socket that prefers busy polling, which drives the socket's NAPI alone: asks for frames
	 * that this left in the TX ring. Whether there were any. */
	bool (*kick_again)(struct path *path);
	/* Asks the kernel to receive: drives NAPI and makes it look at the fill ring. */
	void (*drain)(struct path *path);
	/* Sets an option of SOL_SOCKET. 0 or a negative errno. */
	int (*set_option)(const struct path *path, int option, int value);
	/* Before a sleep on the path's descriptor: clears the readiness that was seen. False if frames wait, so that
	 * the worker must not sleep. */
	bool (*clear)(struct path *path);
	void (*statistics)(struct path *path, struct xdp_statistics *statistics);
	/* 0, or the errno of the interface's failure. */
	int (*fault)(struct path *path);
};

struct path {
	const struct path_operations *operations;
	const struct port_operations *port; /* only of paths that use a wait strategy */
	uint8_t *area;
	struct xdplab_memory *memory; /* that the area lies in, where it may outlive the path; else NULL */
	int descriptor; /* readable when a frame waits */
	uint32_t peak;  /* most frames seen waiting since the last record */
	uint32_t queue;
	uint32_t entry;         /* of the XSKMAP */
	uint32_t longest;       /* longest packet that its interface sends, in bytes */
	uint32_t packet_frames; /* most frames of a packet: 1, or with multi-buffer PACKET_FRAMES */
	bool metadata;          /* a struct frame_metadata stands in front of each packet */
	bool bare;              /* frames are payloads of datagrams, without headers */
	bool only_drops;        /* it can't send: the only possible action is drop */
	bool zero_copy;
	bool huge_pages;
	bool given; /* another process opened its socket and set the options that need privilege */
	uint64_t too_long; /* packets of more than packet_frames, dropped */
};

/* Arguments to open a path. */
struct path_place {
	const struct xdplab_config *config;
	const struct xdplab_worker_config *worker;
	uint32_t index;           /* of the worker */
	uint32_t interface_index; /* in the network namespace of the calling thread */
	void *shared;             /* result of `share` */
	int socket;               /* opened for it by another process, or -1 */
	bool umem_registered;     /* by another process, with that socket */
	bool rebinds;             /* sockets of the same engine were bound until now */
};

/* A kind of receive path, and how to open one. */
struct path_kind {
	const char *name;
	uint32_t counts; /* enum xdplab_counts */
	const struct xdp_kind *programs; /* how XDP programs get onto its interfaces (xdp/xdp.h) */
	bool simulated;                  /* published in the region's header */
	/* Makes what the paths of an engine share, before the first is opened; unshare frees it after the last.
	 * Optional. NULL if it fails. */
	void *(*share)(const struct xdplab_config *config, struct xdplab_error *error);
	void (*unshare)(void *shared);
	/* The UMEM that they share; its descriptor is -1 if no other process may register it. Optional. */
	struct xdplab_umem (*umem)(const void *shared);
	/* NULL if it fails. */
	struct path *(*open)(const struct path_place *place, struct xdplab_error *error);
};

/* The table, in the order of their indices. */
#define PATHS(entry) \
	entry(xsk) \
	entry(udp_blocking) \
	entry(udp_epoll) \
	entry(udp_uring) \
	entry(packet) \
	entry(packet_mmap) \
	entry(xdp) \
	entry(soft)

#define PATH_INDEX(name) PATH_##name,
enum { PATHS(PATH_INDEX) PATH_COUNT };
#undef PATH_INDEX

#define PATH_DECLARE(name) extern const struct path_kind path_##name;
PATHS(PATH_DECLARE)
#undef PATH_DECLARE

extern const struct path_kind *const path_kinds[PATH_COUNT];

/* For a path without rings that sends nothing. */
void path_keeps(struct path *path, const struct xdp_desc *frames, uint32_t count);
bool path_needs_no_kick(struct path *path);
uint32_t path_has_no_room(const struct path *path);
uint32_t path_completes_none(struct path *path, struct xdp_desc *frames, uint32_t limit);
void path_publishes_nothing(struct path *path, const struct xdplab_counters *base, struct xdplab_counters *counters);
void path_shows_nothing(struct path *path, struct xdplab_rings *rings);

#define PATH_SENDS_NOTHING \
	.kick = path_needs_no_kick, .room = path_has_no_room, .transmit = path_keeps, \
	.complete = path_completes_none, .wants_kick = path_needs_no_kick, \
	.publish_transmit = path_publishes_nothing, .show_receive = path_shows_nothing, \
	.show_transmit = path_shows_nothing

/* Makes a socket in the interface's network namespace, or duplicates the given one. Negative if that fails. */
int path_socket(const struct path_place *place, int family, int type);

/* 0, or ENODEV if the namespace of this socket has no such interface any more: the kernel reports no error on a socket
 * that is bound to an address. */
int path_link_fault(int socket, uint32_t interface_index);

static inline bool path_has_long_packets(const struct path *path)
{
	return path->packet_frames > 1;
}

/* Number of packets in a batch. */
static inline uint32_t path_packets(const struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	return path_has_long_packets(path) ? packet_count(frames, count) : count;
}

#endif
