/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_THREAD_H
#define XDPLAB_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "include/error.h"

/* Starts a thread on one core, with SCHED_FIFO where `realtime` is a priority and not 0. It takes no signals
 * but those of its own faults: they are for the interpreter's threads. */
int thread_start(pthread_t *thread, int32_t cpu, uint32_t realtime, const char *name, void *(*function)(void *), void *argument,
		 struct xdplab_error *error);

#endif
