/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-sqpoll: no system call from the worker. It spins as with spin, but a kernel thread (IORING_SETUP_SQPOLL) sends:
 * it takes the kicks from a queue.
 *
 * That thread could also watch the socket with a multishot poll. This code does not: a spinning worker sees packets
 * before any report of them, and each batch would wake the thread to find the packets taken. On two cores, one of
 * which the generator needs, that halved the received rate.
 *
 * The kernel thread looks for entries for IDLE_MS after the last, then sleeps, and the next entry takes a system call
 * to wake it. Looking takes a whole core, and waking costs microseconds; so IDLE_MS is the shortest possible.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "wait/parking.h"
#include "shared/worker.h"

enum { IDLE_MS = 1 };

struct sqpoll {
	struct parking parking;
	clockid_t clock; /* of the kernel thread; 0: unknown */
	uint64_t counted_ns;
};

static int open_ring(struct uring *uring)
{
	return uring_open_sqpoll(uring, IDLE_MS);
}

/* The kernel gives the thread's id in the initial PID namespace, so inside another namespace it is unknown, or another
 * thread's. */
static bool is_submission_thread(int thread)
{
	char path[64], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", thread);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	return !strncmp(name, "iou-sqp-", strlen("iou-sqp-"));
}

/* 0 where it can't be known. */
static pid_t submission_thread(const struct uring *uring)
{
	char path[64], line[128];
	int thread = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uring->ring.ring_fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "SqThread: %d", &thread) != 1)
		;
	fclose(file);
	return thread > 0 && is_submission_thread(thread) ? thread : 0;
}

/* The CPU clock of a thread, as pthread_getcpuclockid(3) makes it. */
static clockid_t thread_clock(pid_t thread)
{
	return thread ? (clockid_t)(~(unsigned int)thread << 3 | 6) : 0;
}

/* Lets the thread run on any core but the worker's, where it would compete with a thread that never sleeps. Not pinned:
 * the scheduler knows which other core is free. */
static void keep_off_core(pid_t thread, int32_t cpu)
{
	cpu_set_t cpus;

	if (sched_getaffinity(getpid(), sizeof(cpus), &cpus))
		return;
	CPU_CLR((size_t)cpu, &cpus);
	if (CPU_COUNT(&cpus))
		sched_setaffinity(thread, sizeof(cpus), &cpus);
}

static int prepare(struct worker *worker, void **state)
{
	int result = parking_prepare(state, sizeof(struct sqpoll), open_ring);
	struct sqpoll *sqpoll;
	pid_t thread;

	if (result)
		return result;
	sqpoll = *state;
	thread = submission_thread(&sqpoll->parking.uring);
	sqpoll->clock = thread_clock(thread);
	if (thread)
		keep_off_core(thread, worker->cpu);
	return 0;
}

static bool wait(struct worker *worker, void *state, uint64_t timeout_ns)
{
	(void)worker;
	(void)state;
	(void)timeout_ns;
	return true;
}

static void publish(struct worker *worker, void *state)
{
	struct sqpoll *sqpoll = state;
	uint64_t now_ns;

	if (!sqpoll->clock)
		return;
	worker->counters.syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	now_ns = clock_ns(sqpoll->clock);
	worker->counters.sqpoll_ns += now_ns - sqpoll->counted_ns;
	sqpoll->counted_ns = now_ns;
}

const struct wait_strategy wait_uring_sqpoll = {
	.name = "uring-sqpoll",
	.prepare = prepare,
	.wait = wait,
	.leave = parking_leave,
	.release = parking_release,
	.kick = parking_kick,
	.submit = parking_submit,
	.kicks_elsewhere = true,
	.publish = publish,
};
