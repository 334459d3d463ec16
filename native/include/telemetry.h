/* SPDX-License-Identifier: Apache-2.0
 *
 * The telemetry region: one sealed memfd an engine, which any process may map read-only.
 *
 *     +--------+------------------------------------------------------------------------------+- - -
 *     | header | worker 0: control | watch | latency | rings | history ring | long ring | sample ring | worker 1 ...
 *     +--------+------------------------------------------------------------------------------+- - -
 *
 *     block      written by      read by
 *     header     open            everyone
 *     control    Python          the worker, each turn
 *     latency    the worker      everyone
 *     watch      the worker      everyone
 *     rings      the worker      everyone; with each record, and while the worker is paced more often
 *     history    the worker      everyone; the newest record is the worker's counter block
 *     long       the worker      everyone; a copy of one history record in so many
 *     samples    the worker      everyone
 *
 * This header is the only definition of the layout. Python builds its dtypes from it, so it keeps to
 * what cffi parses: no alignment specifiers, no expressions in macros. Blocks are aligned to cache lines
 * by explicit padding; region.c asserts it. Whatever a record holds is made of 64-bit words, since
 * records are copied word by word under their sequence number (seqlock.h).
 */
#ifndef XDPLAB_TELEMETRY_H
#define XDPLAB_TELEMETRY_H

#ifdef XDPLAB_CFFI
#define XDPLAB_SHARED(type) type
#else
#include <stdint.h>
/* A word that two threads or processes touch at once. */
#define XDPLAB_SHARED(type) _Atomic type
#endif

enum {
	XDPLAB_MAGIC = 0x78647031, /* "xdp1" */
	XDPLAB_ABI_VERSION = 8,
	XDPLAB_CACHE_LINE = 64,
	XDPLAB_BATCH_BUCKETS = 16,
	XDPLAB_SYSCALL_KINDS = 10,
	XDPLAB_HANDLED_KINDS = 6,
	/* 82 s at the default interval of 10 ms. */
	XDPLAB_HISTORY_RECORDS = 8192,
	/* 17 min, at a record a second or one each publish interval, whichever is longer. */
	XDPLAB_LONG_RECORDS = 1024,
	XDPLAB_SAMPLE_RECORDS = 4096,
	XDPLAB_LARGEST_SAMPLE = 4096, /* bytes of a frame kept in a sample, at most */
	/* Largest ring whose entries are published. */
	XDPLAB_RING_ENTRIES = 256,
	/* Most packets that a worker receives before it reads its control block again. */
	XDPLAB_LARGEST_BURST = 1048576,
	/* 128 buckets an octave (an error below 0.8 %), from 1 ns to 2^34 ns (17 s). */
	XDPLAB_LATENCY_BUCKETS = 3584,
	XDPLAB_LATENCY_PRECISION_BITS = 7,
};

/* The worker's system calls. What publishing costs is kept apart from what the strategy costs. */
enum xdplab_syscall {
	XDPLAB_SYSCALL_SENDTO,
	XDPLAB_SYSCALL_RECVFROM,
	XDPLAB_SYSCALL_POLL,
	XDPLAB_SYSCALL_EPOLL_WAIT,
	XDPLAB_SYSCALL_IO_URING_ENTER,
	XDPLAB_SYSCALL_PUBLISH,
	XDPLAB_SYSCALL_SETTINGS, /* to begin or leave a wait strategy, and to apply its knobs */
	XDPLAB_SYSCALL_PACE,     /* sleeps of a paced worker */
	XDPLAB_SYSCALL_RECVMMSG,
	XDPLAB_SYSCALL_NANOSLEEP, /* of a worker that does not wait for packets */
};

enum xdplab_state {
	XDPLAB_STATE_STOPPED,
	XDPLAB_STATE_RUNNING,
	XDPLAB_STATE_FAILED,
};

enum xdplab_verdict {
	XDPLAB_VERDICT_DROP,
	XDPLAB_VERDICT_REFLECT,
	XDPLAB_VERDICT_ECHO,
	XDPLAB_VERDICT_FORWARD,
	XDPLAB_VERDICT_DELIVER,
	XDPLAB_VERDICT_HANDLER, /* the handler's, which is not known yet when the sample is taken */
};

/* What became of the packets that a handler was called for. */
enum xdplab_handled {
	XDPLAB_HANDLED_DROP,
	XDPLAB_HANDLED_SEND_BACK,
	XDPLAB_HANDLED_FORWARD,
	XDPLAB_HANDLED_DELIVER,
	XDPLAB_HANDLED_REFUSED, /* dropped: the engine can't carry out the verdict */
	XDPLAB_HANDLED_UNKNOWN, /* dropped: it was no verdict, or the length that was set can't be */
};

/* Who completes the checksum of a packet that is sent on, if its sender left it to a device (checksum.h). */
enum xdplab_checksum {
	XDPLAB_CHECKSUM_SOFTWARE, /* the worker */
	XDPLAB_CHECKSUM_NONE,     /* nobody */
	XDPLAB_CHECKSUM_DEVICE,   /* the device by which it is sent, asked by the worker (native/xsk/umem.h) */
};

/* The kernel asks for a system call before it goes on with the ring. */
enum xdplab_needs_wakeup { XDPLAB_FILL_NEEDS_WAKEUP = 1, XDPLAB_TX_NEEDS_WAKEUP = 2 };

struct xdplab_header {
	uint32_t magic;
	uint32_t abi_version;
	uint64_t region_size;
	uint64_t worker_offset; /* of the first worker's block */
	uint64_t worker_stride; /* from one worker's block to the next */
	uint64_t sample_offset; /* of the sample ring's head, within a worker's block */
	uint64_t sample_stride;
	uint32_t worker_count;
	uint32_t sample_bytes; /* of each frame, kept in a sample */
	uint64_t publish_interval_ns;
	uint64_t monotonic_ns; /* the clock base: both clocks, read together at open */
	uint64_t realtime_ns;
	uint32_t process_id;
	uint32_t simulated;
	uint64_t padding[5];
};

/* Each knob is one word, so that turning it is one store. */
struct xdplab_control {
	XDPLAB_SHARED(uint64_t) batch; /* most descriptors taken from the RX ring at once */
	XDPLAB_SHARED(uint64_t) wait;  /* index of the wait strategy */
	XDPLAB_SHARED(uint64_t) action;
	XDPLAB_SHARED(uint64_t) burst; /* most packets before control and clock are looked at again */
	XDPLAB_SHARED(uint64_t) sample_every; /* 1 frame in this many becomes a sample; 0: none */
	XDPLAB_SHARED(uint64_t) inspect;      /* 1: latency and sequence number of each frame, not of samples */
	XDPLAB_SHARED(uint64_t) spin_ns;      /* adaptive: how much spinning a wake-up saved is worth */
	XDPLAB_SHARED(uint64_t) busy_poll_microseconds;
	XDPLAB_SHARED(uint64_t) busy_poll_budget;
	XDPLAB_SHARED(uint64_t) interval_ps; /* generate: between two frames; 0: as fast as it can */
	XDPLAB_SHARED(uint64_t) latency_resets; /* each change makes the worker clear its latency histogram */
	XDPLAB_SHARED(uint64_t) pace_ns; /* time between batches, one a turn; 0: not paced; UINT64_MAX: only by steps */
	XDPLAB_SHARED(uint64_t) steps;   /* a paced worker takes one turn for each increment */
	XDPLAB_SHARED(uint64_t) checksum; /* enum xdplab_checksum */
	XDPLAB_SHARED(uint64_t) handler_budget_ns; /* a batch for which the handler takes longer is counted */
	XDPLAB_SHARED(uint64_t) timer_ns; /* timer: how long to sleep */
	XDPLAB_SHARED(uint64_t) spin_share_ppm; /* adaptive: largest share of the time to spin, in millionths */
	uint64_t padding[7];
};

/* Written by the worker at once, since one that does not return from a handler writes no records. */
struct xdplab_watch {
	XDPLAB_SHARED(uint64_t) handler_ns; /* CLOCK_MONOTONIC when it began a batch with a handler; 0: outside */
	uint64_t padding[7];
};

/* Which fields of a sample are valid, and what its bytes are. */
enum xdplab_sample_flag {
	XDPLAB_SAMPLE_HASH = 1,
	XDPLAB_SAMPLE_DEVICE_TIME = 2,  /* device_time_ns is by the device's clock */
	XDPLAB_SAMPLE_PROGRAM_TIME = 4, /* it is CLOCK_MONOTONIC when the XDP program saw the frame */
	XDPLAB_SAMPLE_PAYLOAD = 8,      /* a datagram's payload without its headers: no Ethernet frame */
};

/* Everything a worker counts, since it was opened. Ring positions never wrap: a position is the number of
 * descriptors that passed that end, and producer - consumer is the number that the ring holds. */
struct xdplab_counters {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t state;
	uint64_t fault; /* errno that ended the worker, or 0 */
	uint64_t control_batch; /* these three: values that the worker used when it published */
	uint64_t control_wait;
	uint64_t control_action;

	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;

	uint64_t fill_producer;
	uint64_t fill_consumer;
	uint64_t rx_producer; /* on other paths than AF_XDP: packets queued for the worker, as far as known */
	uint64_t rx_consumer; /* and packets that it took */
	uint64_t tx_producer;
	uint64_t tx_consumer;
	uint64_t completion_producer;
	uint64_t completion_consumer;
	uint64_t rx_peak; /* most that the RX ring was seen to hold in this interval */
	uint64_t needs_wakeup; /* enum xdplab_needs_wakeup */

	uint64_t batches[XDPLAB_BATCH_BUCKETS]; /* [i]: batches of 2^i to 2^(i+1) - 1 packets */
	uint64_t empty_polls; /* looks at an empty RX ring */
	uint64_t wakeups;     /* sleeps that the kernel ended because packets arrived, even if already taken */
	uint64_t timeouts;    /* sleeps that ended by themselves */
	uint64_t rearms;      /* times an io_uring poll had to be armed again */
	uint64_t kicks;       /* requests to the kernel to send: a system call, or an io_uring entry */
	uint64_t syscalls[XDPLAB_SYSCALL_KINDS];

	/* XDP_STATISTICS, since the socket was opened. They overlap: do not add them up. On other paths than AF_XDP
	 * only rx_ring_full counts: packets that found no room in the queue to the worker (a socket's buffer, a
	 * block ring). */
	uint64_t rx_dropped;
	uint64_t rx_invalid_descs;
	uint64_t tx_invalid_descs;
	uint64_t rx_ring_full;
	uint64_t rx_fill_ring_empty_descs;
	uint64_t tx_ring_empty_descs;

	uint64_t cpu_ns;  /* CLOCK_THREAD_CPUTIME_ID */
	uint64_t user_ns; /* of it: turns that had packets, up to 1 us each, without waits and empty polls */
	uint64_t idle_ns; /* of it: empty polls of a strategy that spins, and its wait for a submission thread */
	uint64_t sqpoll_ns; /* not of it: the submission thread of uring-sqpoll; 0 inside of a PID namespace, where
			     * its clock can't be found */
	uint64_t voluntary_switches;
	uint64_t involuntary_switches;

	/* Frames of xdplab's generators that were inspected, and results of their sequence numbers. */
	uint64_t stream_frames;
	uint64_t stream_missing; /* numbers that were skipped */
	uint64_t stream_late;    /* frames whose number was below one already seen */
	uint64_t samples;
	uint64_t rx_too_long; /* packets dropped because they have more frames than can be sent as one packet */
	uint64_t steps; /* turns that a paced worker took */
	uint64_t streams; /* 1 while it has frames of its own stream to send */
	/* Frames still in the rings when a reconfiguration, after its wait, closed the socket: not received by the
	 * worker, or not taken by the kernel to be sent. */
	uint64_t rx_closed;
	uint64_t tx_closed;
	uint64_t checksums_finished;   /* packets whose checksum the worker completed before it sent them on */
	uint64_t checksums_unfinished; /* sent on incomplete, as far as seen: the worker looks at one of a batch */
	uint64_t checksums_asked; /* packets whose checksum the worker asked the device to complete */
	uint64_t tx_too_long; /* packets put into the TX ring that are longer than the interface's MTU allows */
	uint64_t filtered; /* packets that a capture's filter left out */
	uint64_t held; /* frames that a capture's user has now, so that the fill ring has fewer */
	/* Of handlers. */
	uint64_t handled[XDPLAB_HANDLED_KINDS]; /* packets, by enum xdplab_handled */
	uint64_t handler_batches;
	uint64_t handler_ns;          /* wall time in them */
	uint64_t handler_over_budget; /* batches that took longer than the budget */
	uint64_t handler_longest_ns;  /* the longest batch of the present one, and its packets */
	uint64_t handler_longest_packets;
};

/* Contents of a worker's four rings: the UMEM address in each entry, whether it waits or is free. An entry's place is
 * its position modulo the ring's size. Positions are those of the sockets: a reconfiguration restarts them. */
struct xdplab_rings {
	XDPLAB_SHARED(uint64_t) sequence; /* as in a record, numbered 0, 1, 2 ... */
	uint64_t time_ns;
	uint64_t ring_size; /* of RX, TX and completion ring; the fill ring has twice as many. If the fill ring has
			     * more than XDPLAB_RING_ENTRIES, no entries are published */
	uint64_t fill_producer;
	uint64_t fill_consumer;
	uint64_t rx_producer;
	uint64_t rx_consumer;
	uint64_t tx_producer;
	uint64_t tx_consumer;
	uint64_t completion_producer;
	uint64_t completion_consumer;
	uint64_t needs_wakeup; /* enum xdplab_needs_wakeup */
	uint64_t turns;        /* turns that the worker took while it was paced */
	uint64_t padding[3];
	uint64_t fill[XDPLAB_RING_ENTRIES];
	uint64_t rx[XDPLAB_RING_ENTRIES];
	uint64_t tx[XDPLAB_RING_ENTRIES];
	uint64_t completion[XDPLAB_RING_ENTRIES];
};

struct xdplab_record {
	XDPLAB_SHARED(uint64_t) sequence; /* 2 i + 1 while record i is written, 2 i + 2 from then on */
	struct xdplab_counters counters;
};

struct xdplab_sample {
	XDPLAB_SHARED(uint64_t) sequence;
	uint64_t time_ns; /* CLOCK_MONOTONIC when the worker saw the frame */
	uint64_t frame;   /* number of the frame at this worker, from 0 */
	uint64_t sent_ns; /* the generator's timestamp in the frame, or 0 */
	uint32_t length;
	uint32_t captured; /* bytes of the frame kept below */
	uint32_t queue;
	uint16_t verdict;
	uint16_t flags; /* enum xdplab_sample_flag */
	uint64_t device_time_ns;
	uint32_t hash;      /* of the flow, computed by the device */
	uint32_t hash_type; /* enum xdp_rss_hash_type of the kernel: which headers it covers, or 0 */
	/* sample_bytes of the frame follow */
};

/* Each ring of records has one writer, which overwrites the oldest record. */
struct xdplab_ring_head {
	XDPLAB_SHARED(uint64_t) written; /* records ever written */
	uint64_t padding[7];
};

struct xdplab_worker_block {
	struct xdplab_control control;
	struct xdplab_watch watch;
	XDPLAB_SHARED(uint64_t) latency[XDPLAB_LATENCY_BUCKETS];
	struct xdplab_rings rings;
	struct xdplab_ring_head history_head;
	struct xdplab_record history[XDPLAB_HISTORY_RECORDS];
	struct xdplab_ring_head long_head;
	struct xdplab_record long_history[XDPLAB_LONG_RECORDS];
	/* the sample ring follows: its head, then its records */
};

#endif
