/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish.h"

#include <sys/resource.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/seqlock.h"

/* The two system calls below, with which the worker reads its own times. */
#define OWN_CALLS 2
#define LONG_INTERVAL_NS (1000 * 1000 * 1000ull)

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

/* The thread's CPU clock has the total; the wall clock around its turns has the parts. While another thread had the
 * core, the wall clock went on, so the total limits the parts. (The kernel's own split into user and system time is
 * sampled at ticks, which can miss a worker that wakes at a regular interval.) */
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

static void append(struct xdplab_ring_head *head, struct xdplab_record *records, uint64_t capacity,
		   const struct xdplab_counters *counters)
{
	/* Relaxed: nobody else writes it. */
	const uint64_t number = atomic_load_explicit(&head->written, memory_order_relaxed);
	struct xdplab_record *record = records + number % capacity;

	seqlock_begin(&record->sequence, number);
	seqlock_write(&record->counters, counters, sizeof(*counters));
	seqlock_end(&record->sequence, number);
	/* Release: a reader that sees the new number sees the whole record. */
	atomic_store_explicit(&head->written, number + 1, memory_order_release);
}

/* Only the peak is per interval, so a long record has the highest since the last long one. */
static void append_long(struct worker *worker)
{
	struct xdplab_counters counters = worker->counters;

	counters.rx_peak = worker->long_peak;
	append(&worker->block->long_head, worker->block->long_history, XDPLAB_LONG_RECORDS, &counters);
	worker->long_peak = 0;
	worker->long_due_ns = counters.time_ns - counters.time_ns % LONG_INTERVAL_NS + LONG_INTERVAL_NS;
}

void publish_record(struct worker *worker, uint64_t now_ns)
{
	struct xdplab_counters *counters = &worker->counters;

	worker->rx->operations->publish_receive(worker->rx, &worker->base, counters);
	worker->tx->operations->publish_transmit(worker->tx, &worker->base, counters);
	counters->time_ns = now_ns;
	pace_show_rings(worker, now_ns);
	if (counters->rx_peak > worker->long_peak)
		worker->long_peak = counters->rx_peak;
	append(&worker->block->history_head, worker->block->history, XDPLAB_HISTORY_RECORDS, counters);
	/* By the clock: a capture publishes only while its caller receives. */
	if (now_ns >= worker->long_due_ns)
		append_long(worker);
}
