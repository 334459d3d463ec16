/* SPDX-License-Identifier: Apache-2.0 */
#include "send/sender.h"

#include <stdatomic.h>

#include "base/thread.h"

int sender_start(struct sender *sender, int32_t cpu, const char *name, void *(*function)(void *), void *argument,
		 struct xdplab_error *error)
{
	atomic_store_explicit(&sender->stop, false, memory_order_relaxed); /* the thread begins after this */
	if (thread_start(&sender->thread, cpu, 0, name, function, argument, error))
		return -error->code;
	sender->joinable = true;
	return 0;
}

void sender_stop(struct sender *sender)
{
	if (!sender->joinable)
		return;
	/* Release: the thread sees what was set before. */
	atomic_store_explicit(&sender->stop, true, memory_order_release);
	pthread_join(sender->thread, NULL);
	sender->joinable = false;
}

bool sender_is_to_stop(const struct sender *sender)
{
	return atomic_load_explicit(&sender->stop, memory_order_acquire);
}
