/* SPDX-License-Identifier: Apache-2.0
 *
 * epoll: the thread sleeps in epoll_wait, and then receives until the socket is empty.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "receive/tcp_receiver.h"

struct state {
	int epoll;
	uint8_t bytes[TCP_PIECE];
};

static int begin(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	struct epoll_event event = { .events = EPOLLIN };
	int code;

	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (self->epoll < 0)
		return -errno;
	if (!epoll_ctl(self->epoll, EPOLL_CTL_ADD, tcp_receiver_socket(receiver), &event))
		return 0;
	code = errno;
	close(self->epoll);
	return -code;
}

static int receive(struct tcp_receiver *receiver, void *state)
{
	struct state *self = state;
	const ssize_t length = recv(tcp_receiver_socket(receiver), self->bytes, sizeof(self->bytes), MSG_DONTWAIT);
	struct epoll_event event;

	tcp_receiver_called(receiver, 1);
	if (length > 0)
		return tcp_receiver_take(receiver, self->bytes, (uint64_t)length);
	if (!length)
		return 1;
	if (errno != EAGAIN)
		return errno == EINTR ? 0 : -errno;
	tcp_receiver_called(receiver, 1);
	return epoll_wait(self->epoll, &event, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static void end(void *state)
{
	close(((struct state *)state)->epoll);
}

const struct tcp_way tcp_epoll = {
	.name = "tcp-epoll",
	.state_size = sizeof(struct state),
	.begin = begin,
	.receive = receive,
	.end = end,
};
