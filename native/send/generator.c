/* SPDX-License-Identifier: Apache-2.0 */
#include "send/generator.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/give_back.h"

void generator_init(struct xdplab_generator *generator, const struct generator_operations *operations,
		    const struct xdplab_traffic *traffic)
{
	generator->operations = operations;
	generator->cpu = traffic->cpu;
	generator->longest = traffic->longest;
	generator->limit_frames = traffic->stream.limit_frames;
	generator->limit_ns = traffic->stream.limit_ns;
	atomic_init(&generator->wanted_size, traffic->stream.size);
}

void generator_began(struct xdplab_generator *generator)
{
	/* Relaxed, as below: a time by which nothing else is ordered. */
	atomic_store_explicit(&generator->began_ns, clock_ns(CLOCK_MONOTONIC), memory_order_relaxed);
}

void generator_ended(struct xdplab_generator *generator, int fault)
{
	atomic_store_explicit(&generator->ended_ns, clock_ns(CLOCK_MONOTONIC), memory_order_relaxed);
	atomic_store_explicit(&generator->fault, fault, memory_order_relaxed);
	/* Release: a reader that sees the end also sees the errno and the counts. */
	atomic_store_explicit(&generator->running, false, memory_order_release);
}

int xdplab_generator_start(struct xdplab_generator *generator, struct xdplab_error *error)
{
	xdplab_generator_stop(generator); /* it may be running, or have ended by itself */
	generator->before_ns = xdplab_generator_sending_ns(generator);
	/* Relaxed: starting the thread orders them. */
	atomic_store_explicit(&generator->began_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&generator->ended_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&generator->fault, 0, memory_order_relaxed);
	atomic_store_explicit(&generator->running, true, memory_order_relaxed);
	if (!generator->operations->start(generator, error))
		return 0;
	atomic_store_explicit(&generator->running, false, memory_order_relaxed);
	return -error->code;
}

void xdplab_generator_stop(struct xdplab_generator *generator)
{
	generator->operations->stop(generator);
}

void xdplab_generator_close(struct xdplab_generator *generator)
{
	xdplab_generator_stop(generator);
	generator->operations->close(generator);
}

DEFINE_GIVE_BACK(xdplab_generator)

void xdplab_generator_set_interval(struct xdplab_generator *generator, uint64_t interval_ps)
{
	generator->operations->set_interval(generator, interval_ps);
}

void xdplab_generator_set_size(struct xdplab_generator *generator, uint32_t size)
{
	atomic_store_explicit(&generator->wanted_size, size, memory_order_relaxed);
}

uint64_t xdplab_generator_sent(const struct xdplab_generator *generator)
{
	return generator->operations->sent(generator);
}

uint64_t xdplab_generator_sending_ns(const struct xdplab_generator *generator)
{
	const uint64_t began = atomic_load_explicit(&generator->began_ns, memory_order_relaxed);
	const uint64_t ended = atomic_load_explicit(&generator->ended_ns, memory_order_relaxed);

	if (!began)
		return generator->before_ns;
	return generator->before_ns + (ended ? ended : clock_ns(CLOCK_MONOTONIC)) - began;
}

uint64_t xdplab_generator_too_long(const struct xdplab_generator *generator)
{
	/* Acquire: a later read of the sent frames includes these. */
	return atomic_load_explicit(&generator->too_long, memory_order_acquire);
}

int xdplab_generator_running(const struct xdplab_generator *generator)
{
	return atomic_load_explicit(&generator->running, memory_order_acquire);
}

int xdplab_generator_fault(const struct xdplab_generator *generator)
{
	return atomic_load_explicit(&generator->fault, memory_order_relaxed);
}

int xdplab_generator_state(const struct xdplab_generator *generator)
{
	return generator->operations->state ? generator->operations->state(generator) : -ENOENT;
}

int xdplab_generator_feed(struct xdplab_generator *generator, const struct xdplab_replay *more, uint32_t complete)
{
	if (!generator->operations->feed)
		return -EINVAL;
	if (!xdplab_generator_running(generator))
		return -ECANCELED;
	return generator->operations->feed(generator, more, complete);
}
