/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_THREAD_H
#define XDPLAB_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "include/error.h"

/* Starts a thread on one core, with SCHED_FIFO at the priority `realtime` unless that is 0. It blocks all signals
 * except those of its own faults: the others are for the interpreter's threads. */
int thread_start(pthread_t *thread, int32_t cpu, uint32_t realtime, const char *name, void *(*function)(void *), void *argument,
		 struct xdplab_error *error);

#endif
