/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "engine.h"
#include "worker.h"

#define WAIT_ENTRY(name) &wait_##name,
const struct wait_strategy *const wait_strategies[WAIT_COUNT] = { WAIT_STRATEGIES(WAIT_ENTRY) };
#undef WAIT_ENTRY

const char *xdplab_wait_strategy(uint32_t index)
{
	return index < WAIT_COUNT ? wait_strategies[index]->name : NULL;
}

static const struct wait_strategy *current(const struct worker *worker)
{
	return wait_strategies[worker->wait_index];
}

static void *current_state(const struct worker *worker)
{
	return worker->wait_states[worker->wait_index];
}

void wait_prepare_all(struct worker *worker)
{
	for (uint32_t i = 0; i < WAIT_COUNT; i++) {
		const struct wait_strategy *strategy = wait_strategies[i];

		worker->refusals[i] = strategy->prepare ? -strategy->prepare(worker, &worker->wait_states[i]) : 0;
	}
}

static void leave_current(struct worker *worker)
{
	if (current(worker)->leave)
		current(worker)->leave(worker, current_state(worker));
}

void wait_release_all(struct worker *worker)
{
	if (!worker->refusals[worker->wait_index])
		leave_current(worker);
	for (uint32_t i = 0; i < WAIT_COUNT; i++)
		if (wait_strategies[i]->release && !worker->refusals[i])
			wait_strategies[i]->release(worker->wait_states[i]);
}

void wait_switch(struct worker *worker, uint32_t index)
{
	if (index >= WAIT_COUNT || worker->refusals[index])
		return;
	leave_current(worker);
	worker->wait_index = index;
}

void wait_kick(struct worker *worker)
{
	if (current(worker)->kick) {
		current(worker)->kick(worker, current_state(worker));
		return;
	}
	worker->counters.kicks++;
	worker->counters.syscalls[XDPLAB_SYSCALL_SENDTO]++;
	/* Refusals for want of room, and while the interface is down, are answered by the next kick. */
	if (sendto(worker->tx->descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == ENXIO)
		worker->counters.fault = (uint64_t)errno;
}

bool wait_kicks_elsewhere(const struct worker *worker)
{
	return current(worker)->kicks_elsewhere;
}

bool wait_for_packets(struct worker *worker, uint64_t timeout_ns)
{
	return current(worker)->wait(worker, current_state(worker), timeout_ns);
}

void wait_submit(struct worker *worker)
{
	if (current(worker)->submit)
		current(worker)->submit(worker, current_state(worker));
}

void wait_publish(struct worker *worker)
{
	for (uint32_t i = 0; i < WAIT_COUNT; i++)
		if (wait_strategies[i]->publish && !worker->refusals[i])
			wait_strategies[i]->publish(worker, worker->wait_states[i]);
}
