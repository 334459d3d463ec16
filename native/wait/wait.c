/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/wait.h"

#include <errno.h>
#include <stddef.h>

#include "include/engine.h"
#include "shared/worker.h"

#define WAIT_ENTRY(name) &wait_##name,
const struct wait_strategy *const wait_strategies[WAIT_COUNT] = { WAIT_STRATEGIES(WAIT_ENTRY) };
#undef WAIT_ENTRY

const char *xdplab_wait_strategy(uint32_t index)
{
	return index < WAIT_COUNT ? wait_strategies[index]->name : NULL;
}

/* Replaces a strategy if the path has its own wait. */
static bool wait_as_path(struct worker *worker, void *state, uint64_t timeout_ns)
{
	(void)state;
	return worker->rx->operations->wait(worker->rx, worker, timeout_ns);
}

static const struct wait_strategy way_of_path = { .name = "of the path", .wait = wait_as_path };

static bool has_own_way(const struct worker *worker)
{
	return worker->rx->operations->wait;
}

static void take_up(struct worker *worker, uint32_t index)
{
	worker->wait_index = index;
	worker->strategy = wait_strategies[index];
	worker->wait_state = worker->wait_states[index];
}

static void prepare_path(struct worker *worker)
{
	const struct path_operations *path = worker->rx->operations;

	for (uint32_t i = 0; i < WAIT_COUNT; i++)
		worker->refusals[i] = EOPNOTSUPP;
	worker->strategy = &way_of_path;
	worker->refusal = path->begin ? -path->begin(worker->rx) : 0;
}

void wait_prepare_all(struct worker *worker)
{
	if (has_own_way(worker)) {
		prepare_path(worker);
		return;
	}
	for (uint32_t i = 0; i < WAIT_COUNT; i++) {
		const struct wait_strategy *strategy = wait_strategies[i];

		worker->refusals[i] = strategy->prepare ? -strategy->prepare(worker, &worker->wait_states[i]) : 0;
	}
	take_up(worker, worker->wait_index);
	worker->refusal = worker->refusals[worker->wait_index];
}

static void leave_current(struct worker *worker)
{
	if (worker->strategy->leave)
		worker->strategy->leave(worker, worker->wait_state);
}

void wait_release_all(struct worker *worker)
{
	if (has_own_way(worker) && worker->rx->operations->end && !worker->refusal)
		worker->rx->operations->end(worker->rx);
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
	take_up(worker, index);
}

void wait_kick(struct worker *worker)
{
	if (worker->strategy->kick)
		worker->strategy->kick(worker, worker->wait_state);
	else
		wait_kick_by_sendto(worker);
}

void wait_kick_by_sendto(struct worker *worker)
{
	int fault;

	worker->counters.kicks++;
	worker->counters.syscalls[XDPLAB_SYSCALL_SENDTO]++;
	fault = worker->tx->port->kick(worker->tx);
	if (fault)
		worker->counters.fault = (uint64_t)fault;
}

bool wait_kicks_elsewhere(const struct worker *worker)
{
	return worker->strategy->kicks_elsewhere;
}

bool wait_for_packets(struct worker *worker, uint64_t timeout_ns)
{
	return worker->strategy->wait(worker, worker->wait_state, timeout_ns);
}

void wait_submit(struct worker *worker)
{
	if (worker->strategy->submit)
		worker->strategy->submit(worker, worker->wait_state);
}

void wait_publish(struct worker *worker)
{
	for (uint32_t i = 0; i < WAIT_COUNT; i++)
		if (wait_strategies[i]->publish && !worker->refusals[i])
			wait_strategies[i]->publish(worker, worker->wait_states[i]);
}
