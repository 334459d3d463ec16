/* SPDX-License-Identifier: Apache-2.0
 *
 * udp-epoll: drains a UDP socket by recvmmsg, a batch a call, and sleeps in epoll_wait once it is empty.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "receive/socket_path.h"
#include "shared/worker.h"
#include "xdp/xdp.h"

struct path_udp_epoll {
	struct socket_path socket;
	int epoll;
	struct mmsghdr messages[SOCKET_SLOTS];
	struct iovec slots[SOCKET_SLOTS];
};

static struct path_udp_epoll *self_of(struct path *path)
{
	return (struct path_udp_epoll *)path;
}

static bool fetch(struct path_udp_epoll *self, struct worker *worker)
{
	struct path *path = &self->socket.path;
	int count;

	socket_path_begin_fetch(&self->socket);
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVMMSG]++;
	count = recvmmsg(path->descriptor, self->messages, socket_path_batch(worker), MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (count < 0 && errno != EAGAIN && errno != EINTR)
		worker->counters.fault = (uint64_t)errno;
	for (int i = 0; i < count; i++)
		socket_path_fetched(&self->socket, (uint32_t)i, self->messages[i].msg_len);
	return count > 0;
}

static bool wait(struct path *path, struct worker *worker, uint64_t timeout_ns)
{
	struct path_udp_epoll *self = self_of(path);
	struct epoll_event event;

	if (socket_path_has_some(&self->socket) || fetch(self, worker) || !timeout_ns)
		return false;
	worker->counters.syscalls[XDPLAB_SYSCALL_EPOLL_WAIT]++;
	/* Rounded up: a record a millisecond late is better than spinning for the last millisecond. */
	if (epoll_wait(self->epoll, &event, 1, (int)((timeout_ns + 999999) / 1000000)) > 0) {
		worker->counters.wakeups++;
		fetch(self, worker);
	} else {
		worker->counters.timeouts++;
	}
	return false;
}

static void close_path(struct path *path)
{
	close(self_of(path)->epoll);
	socket_path_close(path);
}

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = socket_path_receive,
	.recycle = socket_path_recycle,
	.wait = wait,
	.publish_receive = socket_path_publish_udp,
	.fault = socket_path_fault,
	.close = close_path,
};

static int watch(struct path_udp_epoll *self, struct xdplab_error *error)
{
	struct epoll_event event = { .events = EPOLLIN };

	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (self->epoll < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->socket.path.descriptor, &event))
		return fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "watch a UDP socket with epoll");
	return 0;
}

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	int descriptor = socket_path_open_udp(place, error);
	struct path *path;
	struct path_udp_epoll *self;

	if (descriptor < 0)
		return NULL;
	path = socket_path_make(sizeof(*self), &operations, descriptor, place, NULL, error);
	if (!path)
		return NULL;
	path->bare = true;
	self = self_of(path);
	for (uint32_t i = 0; i < SOCKET_SLOTS; i++) {
		self->slots[i] = (struct iovec){ socket_path_slot(&self->socket, i), SOCKET_SLOT_SIZE };
		self->messages[i].msg_hdr = (struct msghdr){ .msg_iov = self->slots + i, .msg_iovlen = 1 };
	}
	if (watch(self, error)) {
		if (self->epoll >= 0)
			close(self->epoll);
		socket_path_close(path);
		return NULL;
	}
	return path;
}

const struct path_kind path_udp_epoll = {
	.name = "udp-epoll",
	.counts = XDPLAB_COUNTS_DATAGRAMS,
	.programs = &xdp_kernel,
	.open = open_path,
};
