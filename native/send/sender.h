/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread of a generator that sends from this process: started and stopped again and again.
 */
#ifndef XDPLAB_SENDER_H
#define XDPLAB_SENDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/error.h"

struct sender {
	pthread_t thread;
	bool joinable;
	_Atomic bool stop;
};

/* Only if it is stopped. 0, or a negative errno. */
int sender_start(struct sender *sender, int32_t cpu, const char *name, void *(*function)(void *), void *argument,
		 struct xdplab_error *error);
/* In any state: returns when the thread has ended. */
void sender_stop(struct sender *sender);
/* Asked by the thread. */
bool sender_is_to_stop(const struct sender *sender);

#endif
