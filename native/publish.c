/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"

#include <sys/resource.h>

#include "clock.h"
#include "seqlock.h"

/* The two system calls below, which tell the worker about itself. */
#define OWN_CALLS 2

static struct rusage thread_usage(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage;
}

void publish_begin(struct worker *worker)
{
	struct rusage usage = thread_usage();

	worker->cpu_thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	worker->switches[0] = (uint64_t)usage.ru_nvcsw;
	worker->switches[1] = (uint64_t)usage.ru_nivcsw;
	worker->work_ns = 0;
	worker->idle_ns = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The thread's own clock says how much it ran; the wall clock around its turns says on what. While another
 * thread had the core, the wall went on, so the parts are capped by the whole. (The kernel's own split into
 * user and system time is sampled at ticks, which a worker that wakes at a regular interval can dodge.) */
static void publish_times(struct worker *worker)
{
	struct xdplab_counters *counters = &worker->counters;
	struct rusage usage = thread_usage();
	uint64_t thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t ran = thread_ns - worker->cpu_thread_ns;
	uint64_t work = least(worker->work_ns, ran);

	counters->cpu_ns += ran;
	counters->user_ns += work;
	counters->idle_ns += least(worker->idle_ns, ran - work);
	counters->voluntary_switches += (uint64_t)usage.ru_nvcsw - worker->switches[0];
	counters->involuntary_switches += (uint64_t)usage.ru_nivcsw - worker->switches[1];
	counters->syscalls[XDPLAB_SYSCALL_PUBLISH] += OWN_CALLS;
	worker->cpu_thread_ns = thread_ns;
	worker->switches[0] = (uint64_t)usage.ru_nvcsw;
	worker->switches[1] = (uint64_t)usage.ru_nivcsw;
	worker->work_ns = 0;
	worker->idle_ns = 0;
}

void publish(struct worker *worker, uint64_t now_ns)
{
	publish_times(worker);
	wait_publish(worker);
	publish_record(worker, now_ns);
}

void publish_record(struct worker *worker, uint64_t now_ns)
{
	struct xdplab_ring_head *head = &worker->block->history_head;
	/* Relaxed: nobody else writes it. */
	uint64_t number = atomic_load_explicit(&head->written, memory_order_relaxed);
	struct xdplab_record *record = worker->block->history + number % XDPLAB_HISTORY_RECORDS;

	worker->rx->operations->publish_receive(worker->rx, &worker->base, &worker->counters);
	worker->tx->operations->publish_transmit(worker->tx, &worker->base, &worker->counters);
	worker->counters.time_ns = now_ns;
	seqlock_begin(&record->sequence, number);
	seqlock_write(&record->counters, &worker->counters, sizeof(worker->counters));
	seqlock_end(&record->sequence, number);
	/* Release: who sees the new number finds the record whole. */
	atomic_store_explicit(&head->written, number + 1, memory_order_release);
}
