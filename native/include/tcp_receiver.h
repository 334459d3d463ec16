/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP receiver, to compare the ways by which a stream's bytes get into a program: a pinned thread takes them from a
 * connected socket until the sender closes (receive/tcp_receiver.c). The stream is numbered: its word of 8 bytes number n
 * is n, in the machine's byte order. Each byte is compared. The caller owns the socket, which can't be used any more
 * after stop.
 */
#ifndef XDPLAB_INCLUDE_TCP_RECEIVER_H
#define XDPLAB_INCLUDE_TCP_RECEIVER_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_tcp_counts {
	uint64_t bytes;    /* received, all of them in order */
	uint64_t pieces;   /* in which they came */
	uint64_t calls;    /* system calls that the thread made for that */
	uint64_t first_ns; /* CLOCK_MONOTONIC when the first bytes were there, and at the end */
	uint64_t last_ns;
	uint64_t cpu_ns; /* of the thread from the first bytes to the end */
	uint32_t ended;  /* 1: the sender closed, or `fault` ended it; only then are the times known */
	int32_t fault;   /* 0, or an errno: EBADMSG for a byte that is not the stream's */
};

struct xdplab_tcp_receiver;

/* Names of the ways in the order of their indices; NULL past the last. */
const char *xdplab_tcp_way(uint32_t index);
struct xdplab_tcp_receiver *xdplab_tcp_receiver_start(int descriptor, uint32_t way, int32_t cpu,
						      struct xdplab_error *error);
void xdplab_tcp_receiver_counts(const struct xdplab_tcp_receiver *receiver, struct xdplab_tcp_counts *counts);
void xdplab_tcp_receiver_stop(struct xdplab_tcp_receiver *receiver); /* ends the thread and frees it */

#endif
