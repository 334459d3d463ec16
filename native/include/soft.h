/* SPDX-License-Identifier: Apache-2.0
 *
 * The soft NIC: two simulated interfaces, the ends of a wire. The wire's thread does the kernel's part of AF_XDP in
 * memory for the engines bound to either end (path soft; open_port ignores the interface index then). It also runs
 * the wire's generators, and a stack at each end that answers echo requests. It needs no privilege. Engines and
 * generators hold a reference to their wire, so all may be closed in any order.
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
	int32_t cpu; /* its thread's core; -1: any, or the generator's core while it has a generator */
	uint64_t seed; /* of its jitter */
	struct xdplab_wire_end ends[XDPLAB_WIRE_ENDS];
};

/* Faults to inject into frames that arrive at an end (bad_descriptor: that its sockets send): one frame in so many is
 * hit; 0: none. */
struct xdplab_wire_faults {
	uint64_t jitter_ns;            /* the most by which a frame is delayed; order is kept */
	uint64_t ring_full_every;      /* as if the RX ring were full */
	uint64_t no_fill_every;        /* as if the fill ring were empty */
	uint64_t bad_descriptor_every; /* as if the TX descriptor were invalid */
};

/* They mean the same as on a veth: an end has sent a packet once it arrived at the other end. */
struct xdplab_link_statistics {
	uint64_t rx_packets;
	uint64_t tx_packets;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t rx_dropped;
	uint64_t tx_dropped;
};

/* Named after veth's, "rx_queue_N_xdp_packets" and so on. A sent frame arrives at once, or is held for its delay:
 * no queue between the ends can be full, so there is no "tx_queue_N_xdp_xmit_errors". */
struct xdplab_queue_statistics {
	uint64_t rx_xdp_packets;
	uint64_t rx_xdp_bytes;
	uint64_t rx_drops; /* redirected, but the socket refused them */
	uint64_t rx_xdp_redirect;
	uint64_t tx_xdp_xmit;
};

struct xdplab_wire;
struct xdplab_wire *xdplab_wire_open(const struct xdplab_wire_config *config, struct xdplab_error *error);
/* Cuts the wire, and frees it once nothing refers to it. */
void xdplab_wire_close(struct xdplab_wire *wire);
/* Closes the wire that `held` points to, unless NULL, and sets the pointer to NULL. */
void xdplab_wire_give_back(struct xdplab_wire **held);
/* Removes both interfaces while they may be in use: engines end with ENETDOWN, generators with ENODEV. */
void xdplab_wire_cut(struct xdplab_wire *wire);
int xdplab_wire_is_cut(const struct xdplab_wire *wire);
void xdplab_wire_set_faults(struct xdplab_wire *wire, uint32_t end, const struct xdplab_wire_faults *faults);
void xdplab_wire_link_statistics(const struct xdplab_wire *wire, uint32_t end,
				 struct xdplab_link_statistics *statistics);
void xdplab_wire_queue_statistics(const struct xdplab_wire *wire, uint32_t end, uint32_t queue,
				  struct xdplab_queue_statistics *statistics);
/* Sends echo requests with `size` bytes of payload from the end's stack to `target` (4 bytes for AF_INET, 16 for
 * AF_INET6) and counts the answers until `timeout_ns` after the last request. Returns when all are answered or the
 * time is up; 0 or a negative errno. */
int xdplab_wire_ping(struct xdplab_wire *wire, uint32_t end, const uint8_t *target, uint32_t family, uint32_t count,
		     uint64_t interval_ns, uint32_t size, uint64_t timeout_ns, uint32_t *sent, uint32_t *received);

/* Opens a generator at an end of a wire. It ignores the traffic's program and interface index. Its frames arrive on
 * queue (core modulo queues). With an interval of 0, a replay keeps the time between frames of the capture. */
struct xdplab_generator *xdplab_wire_generator_open(struct xdplab_wire *wire, uint32_t end,
						    const struct xdplab_traffic *traffic,
						    const struct xdplab_replay *replay, /* or NULL */
						    struct xdplab_error *error);

#endif
