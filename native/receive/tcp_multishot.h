/* SPDX-License-Identifier: Apache-2.0
 *
 * A multishot receive of io_uring, whose reports each tell of a piece of the stream. The thread sleeps in io_uring_enter,
 * and takes all reports that are there.
 */
#ifndef XDPLAB_TCP_MULTISHOT_H
#define XDPLAB_TCP_MULTISHOT_H

#include <liburing.h>

#include "receive/tcp_receiver.h"

struct tcp_multishot {
	struct io_uring ring;
	bool armed;
	int no_room; /* the errno of a receive that ended because all memory for pieces was in use */
	void (*prepare)(struct tcp_receiver *receiver, void *state, struct io_uring_sqe *entry);
	/* Takes the piece of a report, and offers its memory again. 0, or a negative errno. */
	int (*take)(struct tcp_receiver *receiver, void *state, const struct io_uring_cqe *report);
};

/* As struct tcp_way's. `state` is for the functions above. */
int tcp_multishot_receive(struct tcp_multishot *self, struct tcp_receiver *receiver, void *state);

#endif
