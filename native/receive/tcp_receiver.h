/* SPDX-License-Identifier: Apache-2.0
 *
 * A way to receive TCP. A new one is one file tcp_*.c and one entry in the table below. The functions run on the
 * receiver's thread.
 */
#ifndef XDPLAB_TCP_RECEIVER_H
#define XDPLAB_TCP_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_receiver;

struct tcp_way {
	const char *name;
	size_t state_size;
	/* 0, or a negative errno: it can't be used here. Cleans up if it fails. */
	int (*begin)(struct tcp_receiver *receiver, void *state);
	/* Waits for bytes, and hands them to tcp_receiver_take. 0; 1 at the end of the stream; or a negative errno. */
	int (*receive)(struct tcp_receiver *receiver, void *state);
	void (*end)(void *state); /* optional */
};

#define TCP_WAYS(entry) \
	entry(blocking) \
	entry(epoll) \
	entry(uring) \
	entry(zcrx)

#define TCP_DECLARE(name) extern const struct tcp_way tcp_##name;
TCP_WAYS(TCP_DECLARE)
#undef TCP_DECLARE

enum { TCP_PIECE = 64 * 1024 }; /* bytes to ask for at once */

int tcp_receiver_socket(const struct tcp_receiver *receiver);
/* Counts system calls. */
void tcp_receiver_called(struct tcp_receiver *receiver, uint64_t calls);
/* Compares the stream's next bytes. 0, or -EBADMSG. */
int tcp_receiver_take(struct tcp_receiver *receiver, const uint8_t *bytes, uint64_t count);

#endif
