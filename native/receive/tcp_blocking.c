/* SPDX-License-Identifier: Apache-2.0
 *
 * blocking: the thread sleeps in recv, one call a piece.
 */
#include <errno.h>
#include <sys/socket.h>

#include "receive/tcp_receiver.h"

struct state {
	uint8_t bytes[TCP_PIECE];
};

static int begin(struct tcp_receiver *receiver, void *state)
{
	(void)receiver;
	(void)state;
	return 0;
}

static int receive(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	const ssize_t length = recv(tcp_receiver_socket(receiver), self->bytes, sizeof(self->bytes), 0);

	tcp_receiver_called(receiver, 1);
	if (length > 0)
		return tcp_receiver_take(receiver, self->bytes, (uint64_t)length);
	if (!length)
		return 1;
	return errno == EINTR ? 0 : -errno;
}

const struct tcp_way tcp_blocking = {
	.name = "tcp-blocking",
	.state_size = sizeof(struct state),
	.begin = begin,
	.receive = receive,
};
