/* SPDX-License-Identifier: Apache-2.0
 *
 * The soft NIC: two simulated interfaces, the ends of a wire. One thread does the kernel's part between their AF_XDP
 * sockets.
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
 *      deliver.c       wire to RX ring: the device's and the program's counts, and all losses
 *      delay.c         frames that are delayed on purpose
 *      generator.c     numbered frames, and frames of a capture file
 *      stack.c         echo requests answered and sent
 *      statistics.c    the counts, and the faults that are set
 *      path.c, port.c  the worker's side: its receive path, and replacements of its system calls
 *
 * A socket's rings are like the kernel's (ring.h), so a worker's code is the same on both. The wire's thread owns
 * everything else: it opens and closes sockets and sets faults on behalf of callers, between two of its turns. So no
 * packet needs a lock. The thread is the only writer of its counts, which any thread may read.
 *
 * The thread sleeps on its bell (an eventfd) when it has nothing to do, and then asks for kicks by the TX rings'
 * need-wakeup flags. No wakeup may be lost, so each side first announces what it will do and then looks, with
 * read-modify-writes of one word, which both sides see in one order:
 *
 *      worker   puts frames into the TX ring, then reads the flag: if set, it clears it and rings the bell
 *      wire     sets the flag, then looks at the TX ring: if frames are there, it does not sleep
 *
 *      wire     puts frames into the RX ring, then marks the socket as signalled: if it was not, it makes it readable
 *      worker   drains the descriptor, clears the mark, then looks at the RX ring: if frames are there, no sleep
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
	/* XDP's headroom, before the UMEM's own headroom. */
	SOFT_XDP_HEADROOM = 256,
	SOFT_LONGEST = 14 + 40 + 65535, /* bytes of a frame that a generator makes, or the stack */
};

/* A frame on its way. */
struct soft_frame {
	const uint8_t *head;
	const uint8_t *tail; /* the bytes after the head, if any */
	uint32_t head_length;
	uint32_t length;
};

/* A count with one writer, the wire's thread. */
typedef _Atomic uint64_t soft_count;

/* Release: a reader of this count also sees earlier counts, so no frame shows at a later counting point only. */
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
	uint32_t largest;  /* bytes of the longest packet that fits a frame */
	bool unaligned;
	bool metadata; /* the program writes a struct frame_metadata in front of each packet */
	void *memory;

	/* The wire's side of the rings. */
	struct ring fill, completion, rx, tx;
	/* A frame that was taken from the fill ring and found no room in the RX ring: the next one to fill. */
	uint64_t spare;
	bool has_spare;
	bool stopped; /* the last descriptor from the TX ring was an invalid one, or its frame was dropped */
	soft_count rx_dropped, rx_ring_full, fill_ring_empty, tx_invalid, tx_ring_empty;

	/* Shared by both threads. */
	_Atomic uint32_t kicked;
	_Alignas(XDPLAB_CACHE_LINE) _Atomic uint32_t signalled;
};

/* The capture program (bpf/capture.bpf.c) at an end. */
struct soft_program {
	struct xdplab_wire *wire;
	uint32_t end;
	uint32_t queues; /* of its end */
	bool takes_all;
	struct packet_filter *match; /* packets that it rejects go to the stack; or NULL */
	soft_count redirected, passed, no_socket, unmatched;
	struct soft_socket *sockets[];
};

struct soft_queue {
	struct soft_socket *socket; /* bound to it, or NULL */
	soft_count packets, bytes, drops, redirect, xmit;
};

struct soft_faults {
	struct xdplab_wire_faults set;
	uint64_t arrived; /* frames for a socket */
	uint64_t sent;    /* frames sent by sockets */
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

	/* Used by the thread only. */
	struct soft_end ends[XDPLAB_WIRE_ENDS];
	uint64_t clock_offset_ns; /* clock.h */
	cpu_set_t cpus; /* where it runs unless a generator sets another core */
	uint32_t generators;
	bool alone;   /* it shares its only core with the workers */
	bool crowded; /* it must yield that core now: frames wait for a worker */
	bool ends_now;
	uint64_t now_ns;   /* when this turn began */
	uint64_t event_ns; /* time of the next event */
	uint64_t random;
	uint8_t answer[SOFT_LONGEST];
};

/* Makes the wire's thread call a function, and waits for that. */
void soft_call(struct xdplab_wire *wire, void (*function)(struct xdplab_wire *, void *), void *argument);
void soft_ring_bell(struct xdplab_wire *wire);
void soft_hold(struct xdplab_wire *wire);
void soft_release(struct xdplab_wire *wire);
static inline bool soft_is_cut(const struct xdplab_wire *wire)
{
	return atomic_load_explicit(&wire->cut, memory_order_relaxed);
}

/* Called on the wire's thread, as all below: schedules an event. */
static inline void soft_expect(struct xdplab_wire *wire, uint64_t event_ns)
{
	if (event_ns < wire->event_ns)
		wire->event_ns = event_ns;
}

/* Pins the thread to the core, or if that is negative, back to its own cores. */
void soft_move(struct xdplab_wire *wire, int32_t cpu);

#endif
