/* SPDX-License-Identifier: Apache-2.0
 *
 * busy-poll: drives the driver's NAPI itself, from recvfrom, so that packets are received on the worker's core and no
 * interrupt disturbs it. The control block sets the longest time of one call (SO_BUSY_POLL), and its most packets
 * (SO_BUSY_POLL_BUDGET).
 *
 * The socket has to know its NAPI (wait/socket_napi.h), or recvfrom has nothing to drive.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bounds.h"
#include "base/knob.h"
#include "shared/worker.h"
#include "wait/socket_napi.h"

struct options {
	int prefer; /* SO_PREFER_BUSY_POLL: interrupts stay off while we poll often enough */
	int microseconds;
	int budget; /* 0: the kernel's own, 8 */
};

struct busy_poll {
	struct options before;
	struct options set;
	bool given; /* the process that opened the socket has set preference and budget, which takes CAP_NET_ADMIN */
	bool driving;
};

static int get(int socket, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	getsockopt(socket, SOL_SOCKET, option, &value, &length);
	return value;
}

/* In this order, so that the socket busy-polls only with its budget set. */
static int set_all(const struct busy_poll *self, const struct path *path, const struct options *options)
{
	int (*const set)(const struct path *path, int option, int value) = path->port->set_option;
	int result = 0;

	if (!self->given)
		result = set(path, SO_PREFER_BUSY_POLL, options->prefer);
	if (!self->given && !result)
		result = set(path, SO_BUSY_POLL_BUDGET, options->budget);
	if (!result)
		result = set(path, SO_BUSY_POLL, options->microseconds);
	return result;
}

static uint32_t set_calls(const struct busy_poll *self)
{
	return self->given ? 1 : 3;
}

/* Tries the options, which need kernel support and CAP_NET_ADMIN. The previous budget can't be read; nobody else sets
 * it. */
static int prepare(struct worker *worker, void **state)
{
	const int socket = worker->rx->descriptor;
	struct busy_poll *self = calloc(1, sizeof(*self));
	int result;

	if (!self)
		return -ENOMEM;
	self->before.prefer = get(socket, SO_PREFER_BUSY_POLL);
	self->before.microseconds = get(socket, SO_BUSY_POLL);
	self->given = worker->rx->given;
	result = self->given && !self->before.prefer ? -EPERM : 0;
	if (!result)
		result = set_all(self, worker->rx, &(struct options){ .prefer = 1, .microseconds = 1, .budget = 1 });
	if (!result)
		result = set_all(self, worker->rx, &self->before);
	if (result) {
		free(self);
		return result;
	}
	*state = self;
	return 0;
}

/* A stray value never ends the worker: the kernel takes 16 bits of budget, and an int of time. */
static int option(const _Atomic uint64_t *word)
{
	return (int)least(knob(word), UINT16_MAX);
}

static void take_up(struct worker *worker, struct busy_poll *self)
{
	const struct xdplab_control *control = &worker->block->control;
	const struct options wanted = {
		.prefer = 1,
		.microseconds = option(&control->busy_poll_microseconds),
		.budget = option(&control->busy_poll_budget),
	};
	int result;

	if (self->driving && self->set.microseconds == wanted.microseconds && self->set.budget == wanted.budget)
		return;
	result = set_all(self, worker->rx, &wanted);
	if (result)
		worker->counters.fault = (uint64_t)-result;
	worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS] += set_calls(self);
	self->set = wanted;
	self->driving = true;
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	(void)timeout_ns;
	take_up(worker, state);
	worker->counters.syscalls[XDPLAB_SYSCALL_RECVFROM]++;
	worker->rx->port->drain(worker->rx);
	return false;
}

static void kick(struct worker *worker, void *state)
{
	(void)state;
	wait_kick_by_sendto(worker);
	if (worker->tx->port->kick_again(worker->tx))
		worker->counters.syscalls[XDPLAB_SYSCALL_POLL]++;
}

static void leave(struct worker *worker, void *state)
{
	struct busy_poll *self = state;

	if (!self->driving)
		return;
	set_all(self, worker->rx, &self->before);
	worker->counters.syscalls[XDPLAB_SYSCALL_SETTINGS] += set_calls(self);
	self->driving = false;
}

static const char *ineffective(const struct worker *worker)
{
	if (socket_napi(worker))
		return NULL;
	if (!worker->napi)
		return "the interface names no NAPI of this queue, so there is nothing to drive: it spins, with a "
		       "useless system call each time. Use spin.";
	return "the driver does not tell an AF_XDP socket its NAPI, so there is nothing to drive: it spins, with a "
	       "useless system call each time. Use spin, or uring-napi, which is told the NAPI.";
}

const struct wait_strategy wait_busy_poll = {
	.name = "busy-poll",
	.prepare = prepare,
	.wait = wait,
	.leave = leave,
	.release = free,
	.kick = kick,
	.ineffective = ineffective,
};
