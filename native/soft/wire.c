/* SPDX-License-Identifier: Apache-2.0 */
#include "soft/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/give_back.h"
#include "base/thread.h"
#include "soft/delay.h"
#include "soft/generator.h"
#include "soft/socket.h"
#include "soft/stack.h"
#include "soft/transmit.h"

/* If an event is due sooner than this, which a sleep may be late by, the thread spins on the clock; but not if it
 * shares its core with the workers. */
#define NEAR_NS (100 * 1000ull)
#define NEVER UINT64_MAX

void soft_ring_bell(struct xdplab_wire *wire)
{
	eventfd_write(wire->bell, 1);
}

void soft_hold(struct xdplab_wire *wire)
{
	/* Relaxed: the holder that passes the wire on already orders the accesses to it. */
	atomic_fetch_add_explicit(&wire->holders, 1, memory_order_relaxed);
}

void soft_call(struct xdplab_wire *wire, void (*function)(struct xdplab_wire *, void *), void *argument)
{
	struct soft_call call = { .function = function, .argument = argument };

	sem_init(&call.done, 0, 0);
	pthread_mutex_lock(&wire->callers);
	/* Release pairs with the thread's acquire. */
	atomic_store_explicit(&wire->call, &call, memory_order_release);
	soft_ring_bell(wire);
	while (sem_wait(&call.done) && errno == EINTR)
		;
	pthread_mutex_unlock(&wire->callers);
	sem_destroy(&call.done);
}

static void answer_call(struct xdplab_wire *wire)
{
	struct soft_call *call = atomic_load_explicit(&wire->call, memory_order_acquire);

	if (!call)
		return;
	atomic_store_explicit(&wire->call, NULL, memory_order_relaxed); /* the next call comes after this is done */
	call->function(wire, call->argument);
	sem_post(&call->done);
}

static void set_need_wakeup(struct xdplab_wire *wire, bool needed)
{
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++) {
		for (uint32_t i = 0; i < wire->config.queues; i++) {
			struct soft_socket *socket = wire->ends[end].queues[i].socket;

			/* Acquire and release: ordered with the worker's read of the flag. */
			if (socket && needed)
				atomic_fetch_or_explicit(socket->tx.flags, XDP_RING_NEED_WAKEUP, memory_order_acq_rel);
			else if (socket)
				atomic_fetch_and_explicit(socket->tx.flags, ~(uint32_t)XDP_RING_NEED_WAKEUP,
							  memory_order_acq_rel);
		}
	}
}

static bool has_to_transmit(const struct xdplab_wire *wire)
{
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		for (uint32_t i = 0; i < wire->config.queues; i++)
			if (wire->ends[end].queues[i].socket &&
			    soft_has_to_transmit(wire->ends[end].queues[i].socket))
				return true;
	return false;
}

static void sleep_until(const struct xdplab_wire *wire, uint64_t until_ns)
{
	struct pollfd bell = { .fd = wire->bell, .events = POLLIN };
	const uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	const struct timespec timeout = clock_timespec(left_ns);
	eventfd_t rings;

	if (ppoll(&bell, 1, until_ns == NEVER ? NULL : &timeout, NULL) > 0)
		eventfd_read(wire->bell, &rings);
}

/* Sets the flags before it looks for the last time: a worker that adds frames later sees the flag. */
static void go_to_sleep(struct xdplab_wire *wire, uint64_t until_ns)
{
	set_need_wakeup(wire, true);
	if (soft_is_cut(wire) || !has_to_transmit(wire))
		sleep_until(wire, until_ns);
	set_need_wakeup(wire, false);
}

static bool serve_end(struct xdplab_wire *wire, uint32_t end)
{
	struct soft_end *self = wire->ends + end;
	bool any = false;

	if (self->generators)
		any |= soft_generate(wire, end);
	for (uint32_t i = 0; i < wire->config.queues; i++)
		if (self->queues[i].socket)
			any |= soft_transmit(self->queues[i].socket);
	if (self->delay)
		any |= soft_delay_release(wire, end, false);
	if (self->pings)
		any |= soft_ping(wire, end);
	return any;
}

static bool take_turn(struct xdplab_wire *wire)
{
	bool any = false;

	wire->event_ns = NEVER;
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS && !soft_is_cut(wire); end++)
		any |= serve_end(wire, end);
	return any;
}

static void *wire_main(void *argument)
{
	struct xdplab_wire *wire = argument;
	/* So that it wakes on time, and not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	for (;;) {
		wire->now_ns = clock_ns(CLOCK_MONOTONIC);
		answer_call(wire);
		if (wire->ends_now)
			return NULL;
		if (take_turn(wire)) {
			if (wire->crowded)
				sched_yield();
			wire->crowded = false;
		} else if (wire->event_ns == NEVER || wire->alone) {
			go_to_sleep(wire, wire->event_ns);
		} else if (wire->event_ns > wire->now_ns + NEAR_NS) {
			go_to_sleep(wire, wire->event_ns - NEAR_NS);
		}
	}
}

void soft_move(struct xdplab_wire *wire, int32_t cpu)
{
	cpu_set_t cpus;

	if (wire->config.cpu >= 0)
		return;
	CPU_ZERO(&cpus);
	if (cpu >= 0)
		CPU_SET((size_t)cpu, &cpus);
	else
		cpus = wire->cpus;
	/* If it may not run there, it stays where it is. */
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void end_now(struct xdplab_wire *wire, void *argument)
{
	(void)argument;
	wire->ends_now = true;
}

static void free_wire(struct xdplab_wire *wire)
{
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++) {
		soft_delay_free(wire->ends[end].delay);
		free(wire->ends[end].queues);
	}
	pthread_mutex_destroy(&wire->callers);
	if (wire->bell >= 0)
		close(wire->bell);
	free(wire);
}

static int start_thread(struct xdplab_wire *wire, struct xdplab_error *error)
{
	if (sched_getaffinity(getpid(), sizeof(wire->cpus), &wire->cpus))
		return fail(error, XDPLAB_STEP_START_THREAD, errno, "ask where threads may run");
	wire->alone = CPU_COUNT(&wire->cpus) == 1;
	return thread_start(&wire->thread, wire->config.cpu, 0, "xdplab-wire", wire_main, wire, error);
}

struct xdplab_wire *xdplab_wire_open(const struct xdplab_wire_config *config, struct xdplab_error *error)
{
	struct xdplab_wire *wire = calloc(1, sizeof(*wire));

	if (!wire) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a wire");
		return NULL;
	}
	wire->config = *config;
	wire->clock_offset_ns = clock_offset_ns();
	wire->holders = 1;
	wire->random = config->seed;
	pthread_mutex_init(&wire->callers, NULL);
	wire->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		wire->ends[end].queues = calloc(config->queues, sizeof(*wire->ends[end].queues));
	if (wire->bell < 0)
		fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open a wire's eventfd");
	else if (!config->queues || !wire->ends[0].queues || !wire->ends[1].queues)
		fail(error, XDPLAB_STEP_OPEN_SOCKET, config->queues ? ENOMEM : EINVAL, "make a wire of %u queues",
		     config->queues);
	else if (!start_thread(wire, error))
		return wire;
	free_wire(wire);
	return NULL;
}

void soft_release(struct xdplab_wire *wire)
{
	/* Acquire and release: the last holder sees what the others did. */
	if (atomic_fetch_sub_explicit(&wire->holders, 1, memory_order_acq_rel) > 1)
		return;
	soft_call(wire, end_now, NULL);
	pthread_join(wire->thread, NULL);
	free_wire(wire);
}

static void cut(struct xdplab_wire *wire, void *argument)
{
	(void)argument;
	/* Relaxed: others see it soon enough. */
	atomic_store_explicit(&wire->cut, true, memory_order_relaxed);
	soft_generators_end(wire, ENODEV);
	soft_pings_end(wire, ENETDOWN);
	for (uint32_t end = 0; end < XDPLAB_WIRE_ENDS; end++)
		for (uint32_t i = 0; i < wire->config.queues; i++)
			if (wire->ends[end].queues[i].socket)
				soft_signal(wire->ends[end].queues[i].socket);
}

void xdplab_wire_cut(struct xdplab_wire *wire)
{
	soft_call(wire, cut, NULL);
}

int xdplab_wire_is_cut(const struct xdplab_wire *wire)
{
	return soft_is_cut(wire);
}

void xdplab_wire_close(struct xdplab_wire *wire)
{
	xdplab_wire_cut(wire);
	soft_release(wire);
}

DEFINE_GIVE_BACK(xdplab_wire)
