/* SPDX-License-Identifier: Apache-2.0
 *
 * The soft NIC: two simulated interfaces, the ends of a wire, between whose AF_XDP sockets one thread plays the
 * kernel's part.
 *
 *      worker, end 0                     the wire's thread                        worker, end 1
 *
 *      TX ring ────────▶ transmit ───▶ arrive at end 1 ─▶ program ─▶ copy ──────▶ RX ring
 *      completion ring ◀─────┘                               │        └─────────◀ fill ring
 *                                                            ▼
 *      generators of end 0 ──────────▶ (the same)          stack: answers echo requests, out of its end again
 *
 *      file            what it does
 *      wire.c          the thread, its sleep, and calls to it
 *      socket.c        a socket's memory, and its place at an end
 *      program.c       the program's place at an end
 *      transmit.c      TX ring to wire: descriptors checked, frames sent and completed
 *      deliver.c       wire to RX ring: the device's and the program's counts, and every way to be lost
 *      delay.c         frames that are late on purpose
 *      generator.c     frames of ours and of a capture file
 *      stack.c         echo requests answered and sent
 *      statistics.c    what was counted, and the faults that are set
 *      path.c, port.c  the worker's side: its receive path, and what it does where it would call the kernel
 *
 * A socket's rings are what the kernel's are (ring.h), so a worker's code is the same on both. All else belongs to the
 * wire's thread: sockets come and go, and faults are set, by calls that it makes between two of its turns. So
 * nothing on a packet's way is locked. What it counts has this one writer, and may be read by anyone.
 *
 * The thread sleeps on its bell when it has nothing to do, and asks for kicks then, by the TX rings' need-wakeup
 * flags. Two sleepers must never miss each other, so each side first says what it will do and then looks, with
 * read-modify-writes of one word, which both sides see in one order:
 *
 *      worker   puts frames into the TX ring, then reads the flag: set, it takes it off and rings the bell
 *      wire     sets the flag, then looks at the TX ring: frames there, it does not sleep
 *
 *      wire     puts frames into the RX ring, then marks the socket as signalled: it was not, it makes it readable
 *      worker   empties the descriptor, takes the mark off, then looks at the RX ring: frames there, it does not sleep
 */
#ifndef XDPLAB_SOFT_WIRE_H
#define XDPLAB_SOFT_WIRE_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "include/soft.h"
#include "xsk/ring.h"
#include "xsk/umem.h"

enum {
	SOFT_BATCH = 64, /* frames handled at once, as many as NAPI does */
	SOFT_HEAD = 64,  /* bytes of a generated frame that are its own: a cache line */
	/* XDP's, in front of the UMEM's own headroom. */
	SOFT_XDP_HEADROOM = 256,
	SOFT_LONGEST = 14 + 40 + 65535, /* bytes of a frame that a generator makes, or the stack */
};

/* A frame on its way. */
struct soft_frame {
	const uint8_t *head;
	const uint8_t *tail; /* what follows the head, where it is not all */
	uint32_t head_length;
	uint32_t length;
};

/* With one writer, the wire's thread. */
typedef _Atomic uint64_t soft_count;

/* Release: who sees this count sees what was counted before, so nothing is seen at a later station alone. */
static inline void soft_add(soft_count *count, uint64_t more)
{
	if (more)
		atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
				      memory_order_release);
}

static inline uint64_t soft_read(const soft_count *count)
{
	return atomic_load_explicit(count, memory_order_acquire);
}

struct soft_socket {
	/* Set before it is entered at its end. */
	struct xdplab_wire *wire;
	uint32_t end;
	uint32_t queue;
	int readiness; /* eventfd */
	uint8_t *area;
	uint64_t area_size;
	uint32_t frame_size;
	uint32_t headroom; /* where packets begin in a frame */
	uint32_t largest;  /* packet that a frame has room for */
	bool unaligned;
	bool metadata; /* the program puts some in front of each packet */
	void *memory;

	/* The wire's side of the rings. */
	struct ring fill, completion, rx, tx;
	/* A frame that was taken from the fill ring and found no room in the RX ring: the next one to fill. */
	uint64_t spare;
	bool has_spare;
	bool stopped; /* the last descriptor from the TX ring was an invalid one, or its frame was dropped */
	soft_count rx_dropped, rx_ring_full, fill_ring_empty, tx_invalid, tx_ring_empty;

	/* Both sides'. */
	_Atomic uint32_t kicked;
	_Alignas(XDPLAB_CACHE_LINE) _Atomic uint32_t signalled;
};

/* The capture program (bpf/capture.bpf.c) at an end. */
struct soft_program {
	struct xdplab_wire *wire;
	uint32_t end;
	uint32_t queues; /* of its end */
	bool takes_all;
	soft_count redirected, passed, no_socket;
	struct soft_socket *sockets[];
};

struct soft_queue {
	struct soft_socket *socket; /* bound to it, or NULL */
	soft_count packets, bytes, drops, redirect, xmit;
};

struct soft_faults {
	struct xdplab_wire_faults set;
	uint64_t arrived; /* for a socket */
	uint64_t sent;    /* by sockets */
};

struct soft_end {
	struct soft_program *program; /* or NULL */
	struct soft_generator *generators;
	struct soft_ping *pings;
	struct soft_delay *delay; /* or NULL */
	struct soft_faults faults;
	struct soft_queue *queues;
	soft_count tx_dropped;
};

struct soft_call {
	void (*function)(struct xdplab_wire *wire, void *argument);
	void *argument;
	sem_t done;
};

struct xdplab_wire {
	struct xdplab_wire_config config;
	int bell; /* eventfd; non-blocking */
	pthread_t thread;
	_Atomic uint32_t holders;
	_Atomic bool cut;
	pthread_mutex_t callers; /* one call at a time */
	_Atomic(struct soft_call *) call;

	/* The thread's own. */
	struct soft_end ends[XDPLAB_WIRE_ENDS];
	uint64_t clock_offset_ns; /* clock.h */
	cpu_set_t cpus; /* where it runs unless a generator takes it elsewhere */
	uint32_t generators;
	bool alone;   /* it shares its only core with the workers, */
	bool crowded; /* and must make way for one now: frames wait for it */
	bool ends_now;
	uint64_t now_ns;   /* when this turn began */
	uint64_t event_ns; /* when there is something to do next */
	uint64_t random;
	uint8_t answer[SOFT_LONGEST];
};

/* Has the wire's thread make a call, and waits for it. */
void soft_call(struct xdplab_wire *wire, void (*function)(struct xdplab_wire *, void *), void *argument);
void soft_ring_bell(struct xdplab_wire *wire);
void soft_hold(struct xdplab_wire *wire);
void soft_release(struct xdplab_wire *wire);
static inline bool soft_is_cut(const struct xdplab_wire *wire)
{
	return atomic_load_explicit(&wire->cut, memory_order_relaxed);
}

/* On the wire's thread, as all below: says when there is something to do. */
static inline void soft_expect(struct xdplab_wire *wire, uint64_t event_ns)
{
	if (event_ns < wire->event_ns)
		wire->event_ns = event_ns;
}

/* Pinned to the core, or where it is negative, to where it was. */
void soft_move(struct xdplab_wire *wire, int32_t cpu);

#endif
