/* SPDX-License-Identifier: Apache-2.0
 *
 * A receive path: where a worker's frames come from. A new one is one file path_*.c and one entry in the table
 * below; actions and telemetry work on it unchanged, and where its descriptor can be waited for, wait strategies.
 *
 * A frame is a struct xdp_desc: where it begins in the path's area, its length, and whether its packet goes on
 * in the next (packet.h).
 *
 * A path that makes a system call to receive makes it in `wait`, and `receive` hands out what that fetched: so the
 * worker's time at its packets is told from the kernel's.
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
	/* 0, or the errno of what ended the path. Once at each publish. */
	int (*fault)(struct path *path);
	void (*close)(struct path *path);

	/* The rest may be left out. */

	/* Waits in its own way, and fetches; no wait strategy is prepared then. It ends by `timeout_ns`, or soon
	 * after; with a timeout of 0 it only looks. True if it came back at once for want of anything to do. */
	bool (*wait)(struct path *path, struct worker *worker, uint64_t timeout_ns);
	/* On the worker's thread, when that begins and ends. 0, or a negative errno: can't be used. */
	int (*begin)(struct path *path);
	void (*end)(struct path *path);
	/* The port's XDP program runs from now on. */
	int (*attached)(struct path *path, const struct xdp *xdp, struct xdplab_error *error);
	/* Whether that program still leads to it. */
	bool (*is_reached)(const struct path *path, const struct xdp *xdp);
};

/* What a socket of the kernel's (receive/port_xsk.c) and a simulated one (soft/port.c) differ in; wait strategies go through
 * this. The calls of a simulated one are counted as those of the kernel's that they stand for. */
struct port_operations {
	/* Asks for what waits in the TX ring to be sent. 0, or the errno that ends the path. */
	int (*kick)(struct path *path);
	/* The same, as an entry of an io_uring. */
	void (*prepare_kick)(const struct path *path, struct io_uring_sqe *entry);
	/* Asks for frames to be received: drives NAPI, has the fill ring looked at. */
	void (*drain)(struct path *path);
	/* Before a sleep on the path's descriptor: takes back the readiness that was seen. False where frames wait,
	 * and there is to be no sleep. */
	bool (*clear)(struct path *path);
	void (*statistics)(struct path *path, struct xdp_statistics *statistics);
	/* 0, or the errno of what happened to the interface. */
	int (*fault)(struct path *path);
};

struct path {
	const struct path_operations *operations;
	const struct port_operations *port; /* of paths that wait strategies wait for */
	uint8_t *area;
	int descriptor; /* readable when a frame waits */
	uint32_t peak;  /* most frames seen waiting since the last record */
	uint32_t queue;
	uint32_t longest;       /* bytes of a packet that its interface sends */
	uint32_t packet_frames; /* most frames of a packet: 1, or with multi-buffer PACKET_FRAMES */
	bool metadata;          /* a struct frame_metadata stands in front of each packet */
	bool bare;              /* frames are datagrams' payload, without headers */
	bool only_drops;        /* it can't send: no other action can be done on it */
	bool zero_copy;
	bool huge_pages;
	bool given; /* its socket was: what takes a privilege was set on it by someone else */
	uint64_t too_long; /* packets of more than packet_frames, dropped */
};

/* Where a path is to be. */
struct path_place {
	const struct xdplab_config *config;
	const struct xdplab_worker_config *worker;
	uint32_t index;           /* of the worker */
	uint32_t interface_index; /* in the network namespace of the calling thread */
	void *shared;             /* what `share` made */
	int socket;               /* for it, opened by someone else; or -1 */
	bool umem_registered;     /* by someone else, with that socket */
	bool rebinds;             /* sockets of the same engine were bound until now */
};

/* How paths of one kind come to be. */
struct path_kind {
	const char *name;
	uint32_t counts; /* enum xdplab_counts */
	const struct xdp_kind *programs; /* how XDP programs get onto its interfaces (xdp/xdp.h) */
	bool simulated;                  /* which the region says to whoever reads it */
	/* What the paths of an engine have in common, made before the first and freed after the last. May be left
	 * out. NULL where it fails. */
	void *(*share)(const struct xdplab_config *config, struct xdplab_error *error);
	void (*unshare)(void *shared);
	/* The UMEM that they have in common, with descriptor -1 where nobody else may register it. May be left out. */
	struct xdplab_umem (*umem)(const void *shared);
	/* NULL where it fails. */
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

/* A socket in the interface's network namespace: a new one, or a copy of the one that was given. Negative where that
 * fails. */
int path_socket(const struct path_place *place, int family, int type);

/* 0, or ENODEV where the namespace of this socket has no such interface any more: sockets that are bound to an
 * address are not told. */
int path_link_fault(int socket, uint32_t interface_index);

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
