/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/tcp_receiver.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "include/tcp_receiver.h"

#define WAY_ADDRESS(name) &tcp_##name,
static const struct tcp_way *const ways[] = { TCP_WAYS(WAY_ADDRESS) };
#undef WAY_ADDRESS
enum { WAYS = sizeof(ways) / sizeof(*ways) };

struct tcp_receiver {
	int descriptor; /* the caller's */
	const struct tcp_way *way;
	void *state;
	pthread_t thread;
	sem_t prepared;
	int refusal; /* written before `prepared` */
	_Atomic bool stop;
	/* One thread writes; readers need only the number. */
	_Atomic uint64_t bytes, pieces, calls;
	uint64_t first_ns, last_ns, begun_cpu_ns, cpu_ns; /* written before `ended` */
	int32_t fault;
	_Atomic bool ended;
};

struct xdplab_tcp_receiver {
	struct tcp_receiver own;
};

const char *xdplab_tcp_way(uint32_t index)
{
	return index < WAYS ? ways[index]->name : NULL;
}

int tcp_receiver_socket(const struct tcp_receiver *receiver)
{
	return receiver->descriptor;
}

static void add(_Atomic uint64_t *counter, uint64_t count)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
			      memory_order_relaxed);
}

void tcp_receiver_called(struct tcp_receiver *receiver, uint64_t calls)
{
	add(&receiver->calls, calls);
}

/* Whether bytes within a word are those of the stream at a position. */
static bool is_part_in_order(uint64_t position, const uint8_t *bytes, uint64_t count)
{
	const uint64_t number = position / sizeof(number);
	uint8_t word[sizeof(number)];

	memcpy(word, &number, sizeof(word));
	return !memcmp(bytes, word + position % sizeof(number), count);
}

static bool are_words_in_order(uint64_t number, const uint8_t *bytes, uint64_t count)
{
	uint64_t word, difference = 0;

	for (uint64_t i = 0; i < count; i++) {
		memcpy(&word, bytes + i * sizeof(word), sizeof(word));
		difference |= word ^ (number + i);
	}
	return !difference;
}

static bool are_in_order(uint64_t position, const uint8_t *bytes, uint64_t count)
{
	const uint64_t begun = least(-position % sizeof(position), count); /* of a word that came in part before */
	const uint64_t words = (count - begun) / sizeof(position);
	const uint64_t rest = begun + words * sizeof(position);

	return is_part_in_order(position, bytes, begun) &&
	       are_words_in_order((position + begun) / sizeof(position), bytes + begun, words) &&
	       is_part_in_order(position + rest, bytes + rest, count - rest);
}

int tcp_receiver_take(struct tcp_receiver *receiver, const uint8_t *bytes, uint64_t count)
{
	const uint64_t position = atomic_load_explicit(&receiver->bytes, memory_order_relaxed);

	if (!position) {
		receiver->first_ns = clock_ns(CLOCK_MONOTONIC);
		receiver->begun_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	}
	if (!are_in_order(position, bytes, count))
		return -EBADMSG;
	add(&receiver->bytes, count);
	add(&receiver->pieces, 1);
	return 0;
}

static void *tcp_receiver_main(void *argument)
{
	struct tcp_receiver *receiver = argument;
	int result = 0;

	receiver->refusal = receiver->way->begin(receiver, receiver->state);
	sem_post(&receiver->prepared);
	if (receiver->refusal)
		return NULL;
	/* Acquire pairs with the release in xdplab_tcp_receiver_stop. */
	while (!result && !atomic_load_explicit(&receiver->stop, memory_order_acquire))
		result = receiver->way->receive(receiver, receiver->state);
	receiver->last_ns = clock_ns(CLOCK_MONOTONIC);
	receiver->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - receiver->begun_cpu_ns;
	receiver->fault = result < 0 ? -result : 0;
	if (receiver->way->end)
		receiver->way->end(receiver->state);
	/* Release: who sees this sees the times. */
	atomic_store_explicit(&receiver->ended, true, memory_order_release);
	return NULL;
}

static void release(struct xdplab_tcp_receiver *receiver)
{
	sem_destroy(&receiver->own.prepared);
	free(receiver->own.state);
	free(receiver);
}

struct xdplab_tcp_receiver *xdplab_tcp_receiver_start(int descriptor, uint32_t way, int32_t cpu,
						      struct xdplab_error *error)
{
	struct xdplab_tcp_receiver *receiver = calloc(1, sizeof(*receiver));
	struct tcp_receiver *own;

	if (way >= WAYS) {
		free(receiver);
		fail(error, XDPLAB_STEP_NONE, EINVAL, "receive TCP in way %u", way);
		return NULL;
	}
	if (!receiver || !(receiver->own.state = calloc(1, ways[way]->state_size))) {
		free(receiver);
		fail(error, XDPLAB_STEP_NONE, ENOMEM, "allocate a TCP receiver");
		return NULL;
	}
	own = &receiver->own;
	own->descriptor = descriptor;
	own->way = ways[way];
	sem_init(&own->prepared, 0, 0);
	if (thread_start(&own->thread, cpu, 0, "xdplab-tcp", tcp_receiver_main, own, error)) {
		release(receiver);
		return NULL;
	}
	while (sem_wait(&own->prepared))
		; /* interrupted by a signal */
	if (!own->refusal)
		return receiver;
	pthread_join(own->thread, NULL);
	fail(error, XDPLAB_STEP_PREPARE_TCP, -own->refusal, "prepare to receive TCP by %s", own->way->name);
	release(receiver);
	return NULL;
}

void xdplab_tcp_receiver_counts(const struct xdplab_tcp_receiver *receiver, struct xdplab_tcp_counts *counts)
{
	const struct tcp_receiver *own = &receiver->own;

	*counts = (struct xdplab_tcp_counts){ .ended = atomic_load_explicit(&own->ended, memory_order_acquire) };
	counts->bytes = atomic_load_explicit(&own->bytes, memory_order_relaxed);
	counts->pieces = atomic_load_explicit(&own->pieces, memory_order_relaxed);
	counts->calls = atomic_load_explicit(&own->calls, memory_order_relaxed);
	if (!counts->ended)
		return;
	counts->first_ns = own->first_ns;
	counts->last_ns = own->last_ns;
	counts->cpu_ns = own->cpu_ns;
	counts->fault = own->fault;
}

void xdplab_tcp_receiver_stop(struct xdplab_tcp_receiver *receiver)
{
	atomic_store_explicit(&receiver->own.stop, true, memory_order_release);
	/* For a thread that waits it is the end of the stream. */
	shutdown(receiver->own.descriptor, SHUT_RDWR);
	pthread_join(receiver->own.thread, NULL);
	release(receiver);
}
