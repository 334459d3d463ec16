/* SPDX-License-Identifier: Apache-2.0
 *
 * The soft NIC: two simulated interfaces, the ends of a wire. A thread of the wire's plays the kernel's part of
 * AF_XDP over memory for the engines that are bound to either end (path soft; open_port takes no interface index
 * then), runs its generators, and has a stack at each end that answers echo requests. Nothing of it needs any
 * privilege. An engine or generator holds its wire, so they may be closed in any order.
 *
 * Implemented in soft/wire.c, soft/generator.c, soft/stack.c (ping), soft/statistics.c.
 */
#ifndef XDPLAB_INCLUDE_SOFT_H
#define XDPLAB_INCLUDE_SOFT_H

#include <stdint.h>

#include "include/generator.h"

enum { XDPLAB_WIRE_ENDS = 2 };

struct xdplab_wire_end {
	uint8_t mac[6];
	uint8_t ipv4[4];
	uint8_t ipv6[16];
};

struct xdplab_wire_config {
	uint32_t queues; /* of each end */
	uint32_t mtu;
	int32_t cpu; /* its thread's core; -1: any, and while it has a generator, that one's */
	uint64_t seed; /* of its jitter */
	struct xdplab_wire_end ends[XDPLAB_WIRE_ENDS];
};

/* What goes wrong, of frames that arrive at an end (bad_descriptor: that its sockets send): one in so many, or with
 * 0 none. */
struct xdplab_wire_faults {
	uint64_t jitter_ns;            /* each frame arrives later by up to so much, in order */
	uint64_t ring_full_every;      /* as if the RX ring were full */
	uint64_t no_fill_every;        /* as if the fill ring were empty */
	uint64_t bad_descriptor_every; /* as if the TX descriptor were invalid */
};

/* With the meaning that they have of a veth: an end has sent what the other has seen arrive. */
struct xdplab_link_statistics {
	uint64_t rx_packets;
	uint64_t tx_packets;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t rx_dropped;
	uint64_t tx_dropped;
};

/* By the names of veth's, "rx_queue_N_xdp_packets" and so on. What is sent has arrived at once, or is held for its
 * delay: nothing between the ends can be full, so there is no "tx_queue_N_xdp_xmit_errors". */
struct xdplab_queue_statistics {
	uint64_t rx_xdp_packets;
	uint64_t rx_xdp_bytes;
	uint64_t rx_drops; /* redirected, but the socket refused them */
	uint64_t rx_xdp_redirect;
	uint64_t tx_xdp_xmit;
};

struct xdplab_wire;
struct xdplab_wire *xdplab_wire_open(const struct xdplab_wire_config *config, struct xdplab_error *error);
/* Cuts it, and frees it once nobody holds it. */
void xdplab_wire_close(struct xdplab_wire *wire);
/* Closes what `held` points to, if anything, and sets that to NULL. */
void xdplab_wire_give_back(struct xdplab_wire **held);
/* The interfaces go away under whoever uses them: engines end with ENETDOWN, generators with ENODEV. */
void xdplab_wire_cut(struct xdplab_wire *wire);
int xdplab_wire_is_cut(const struct xdplab_wire *wire);
void xdplab_wire_set_faults(struct xdplab_wire *wire, uint32_t end, const struct xdplab_wire_faults *faults);
void xdplab_wire_link_statistics(const struct xdplab_wire *wire, uint32_t end,
				 struct xdplab_link_statistics *statistics);
void xdplab_wire_queue_statistics(const struct xdplab_wire *wire, uint32_t end, uint32_t queue,
				  struct xdplab_queue_statistics *statistics);
/* Echo requests from the end's stack to `target`, of 4 or 16 bytes by `family` (AF_INET, AF_INET6), with `size` bytes
 * of payload, of which those answered until `timeout_ns` after the last are counted. Returns when all are
 * answered or the time is up; 0 or a negative errno. */
int xdplab_wire_ping(struct xdplab_wire *wire, uint32_t end, const uint8_t *target, uint32_t family, uint32_t count,
		     uint64_t interval_ns, uint32_t size, uint64_t timeout_ns, uint32_t *sent, uint32_t *received);

/* Frames of a capture file; copied. */
struct xdplab_replay {
	const uint8_t *frames; /* one behind the other */
	const uint32_t *lengths;
	const uint64_t *times_ns; /* when each was captured */
	uint32_t count;
	uint32_t repeat; /* how often they are sent in one start; 0: until it is stopped */
};

/* A generator at an end of a wire. Of the traffic, program and interface index are not looked at. Frames arrive on the
 * queue (core modulo queues). A replay's are sent at the distances that they were captured at while the interval is
 * 0. */
struct xdplab_generator *xdplab_wire_generator_open(struct xdplab_wire *wire, uint32_t end,
						    const struct xdplab_traffic *traffic,
						    const struct xdplab_replay *replay, /* or NULL */
						    struct xdplab_error *error);

#endif
