/* SPDX-License-Identifier: Apache-2.0
 *
 * uring-sqpoll: no system call from the worker. It spins, as with spin; what differs is who sends: a thread of the
 * kernel's (IORING_SETUP_SQPOLL), which takes the kicks from a queue.
 *
 * That thread could also watch the socket for us with a multishot poll. It is left out: whoever spins sees packets
 * sooner than any report of them, and each batch that arrives would wake the thread to find that it was taken. On
 * two cores, of which the generator needs the other, that halved what was received.
 *
 * The kernel's thread looks for entries for IDLE_MS after the last, then sleeps, and the next entry takes a
 * system call to wake it. Looking takes its core as a whole, and waking it costs microseconds; so it looks for
 * the shortest time that can be set.
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
	clockid_t clock; /* of the kernel's thread; 0: unknown */
	uint64_t counted_ns;
};

static int open_ring(struct uring *uring)
{
	return uring_open_sqpoll(uring, IDLE_MS);
}

/* The kernel tells the thread's id as the first PID namespace has it, so inside of another it is 0 here, or
 * some other thread's. */
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

/* Anywhere but on the worker's core, which it would share with a thread that never sleeps. Not pinned: which
 * of the others is free, the scheduler knows. */
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
