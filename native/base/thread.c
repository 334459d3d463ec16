/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>

#include "base/error.h"

int thread_start(pthread_t *thread, int32_t cpu, uint32_t realtime, const char *name, void *(*function)(void *), void *argument,
		 struct xdplab_error *error)
{
	pthread_attr_t attributes;
	const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	sigset_t blocked, before;
	cpu_set_t cpus;
	int result;

	pthread_attr_init(&attributes);
	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)cpu, &cpus);
		pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	}
	if (realtime) {
		const struct sched_param priority = { .sched_priority = (int)realtime };

		pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
		pthread_attr_setschedparam(&attributes, &priority);
	}
	/* A new thread inherits the mask of its creator. */
	sigfillset(&blocked);
	/* If blocked, a fault of the thread would end the process without a report of faulthandler or a sanitizer. */
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	result = pthread_create(thread, &attributes, function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (result)
		return fail(error, XDPLAB_STEP_START_THREAD, result, "start the thread %s on core %d", name, cpu);
	pthread_setname_np(*thread, name);
	return 0;
}
