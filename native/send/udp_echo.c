/* SPDX-License-Identifier: Apache-2.0
 *
 * The baseline for the paths: an ordinary UDP socket that answers. A pinned thread sends each datagram back to its
 * sender, and waits for the next one in one of the two usual ways.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "include/udp_echo.h"

enum { LARGEST_DATAGRAM = 65535 };

struct xdplab_udp_echo {
	int descriptor; /* the caller's */
	int epoll;      /* -1: blocks in recvfrom */
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t answered;
	_Atomic uint64_t refused;
	_Atomic int fault;
	uint8_t datagram[LARGEST_DATAGRAM];
};

/* Relaxed: one thread writes, and readers need only the number. */
static void count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Answers one datagram; 0, or the errno for which none was received. */
static int answer(struct xdplab_udp_echo *echo, int flags)
{
	struct sockaddr_storage sender;
	socklen_t sender_length = sizeof(sender);
	ssize_t length = recvfrom(echo->descriptor, echo->datagram, sizeof(echo->datagram), flags,
				  (struct sockaddr *)&sender, &sender_length);

	if (length < 0)
		return errno;
	/* The shutdown that ends the thread makes recvfrom return 0 bytes without a sender. */
	if (!sender_length)
		return 0;
	/* An answer that the stack rejects is lost, as on any host. */
	if (sendto(echo->descriptor, echo->datagram, (size_t)length, 0, (struct sockaddr *)&sender,
		   sender_length) < 0)
		count(&echo->refused);
	else
		count(&echo->answered);
	return 0;
}

static int await(const struct xdplab_udp_echo *echo)
{
	struct epoll_event event;

	return epoll_wait(echo->epoll, &event, 1, -1) < 0 ? errno : 0;
}

static bool is_stopped(struct xdplab_udp_echo *echo)
{
	/* Acquire pairs with the release in xdplab_udp_echo_stop. */
	return atomic_load_explicit(&echo->stop, memory_order_acquire);
}

static void *udp_echo_main(void *argument)
{
	struct xdplab_udp_echo *echo = argument;
	const bool sleeps_in_epoll = echo->epoll >= 0;
	int result = 0;

	while (!is_stopped(echo)) {
		result = answer(echo, sleeps_in_epoll ? MSG_DONTWAIT : 0);
		if (result == EAGAIN && sleeps_in_epoll)
			result = await(echo);
		if (result && result != EINTR)
			break;
	}
	atomic_store_explicit(&echo->fault, is_stopped(echo) ? 0 : result, memory_order_relaxed);
	return NULL;
}

/* 0, or a negative errno. */
static int watch(struct xdplab_udp_echo *echo)
{
	struct epoll_event event = { .events = EPOLLIN };

	echo->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (echo->epoll < 0)
		return -errno;
	return epoll_ctl(echo->epoll, EPOLL_CTL_ADD, echo->descriptor, &event) ? -errno : 0;
}

static void release(struct xdplab_udp_echo *echo)
{
	if (echo->epoll >= 0)
		close(echo->epoll);
	free(echo);
}

struct xdplab_udp_echo *xdplab_udp_echo_start(int descriptor, uint32_t mode, int32_t cpu,
					      struct xdplab_error *error)
{
	struct xdplab_udp_echo *echo = calloc(1, sizeof(*echo));
	int result;

	if (!echo) {
		fail(error, XDPLAB_STEP_NONE, ENOMEM, "allocate a UDP echo server");
		return NULL;
	}
	echo->descriptor = descriptor;
	echo->epoll = -1;
	result = mode == XDPLAB_UDP_ECHO_EPOLL ? watch(echo) : 0;
	if (result) {
		fail(error, XDPLAB_STEP_NONE, -result, "watch a UDP socket with epoll");
		release(echo);
		return NULL;
	}
	if (thread_start(&echo->thread, cpu, 0, "xdplab-echo", udp_echo_main, echo, error)) {
		release(echo);
		return NULL;
	}
	return echo;
}

void xdplab_udp_echo_stop(struct xdplab_udp_echo *echo)
{
	atomic_store_explicit(&echo->stop, true, memory_order_release);
	/* Wakes a thread that sleeps on the socket, although it returns ENOTCONN for a socket without a peer. */
	shutdown(echo->descriptor, SHUT_RD);
	pthread_join(echo->thread, NULL);
	release(echo);
}

uint64_t xdplab_udp_echo_answered(const struct xdplab_udp_echo *echo)
{
	return atomic_load_explicit(&echo->answered, memory_order_relaxed);
}

uint64_t xdplab_udp_echo_refused(const struct xdplab_udp_echo *echo)
{
	return atomic_load_explicit(&echo->refused, memory_order_relaxed);
}

int xdplab_udp_echo_fault(const struct xdplab_udp_echo *echo)
{
	return atomic_load_explicit(&echo->fault, memory_order_relaxed);
}
