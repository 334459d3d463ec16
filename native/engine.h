/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's public API. Together with telemetry.h it is all that Python sees.
 *
 * An engine captures from one queue of one interface with AF_XDP:
 *
 *     open    XDP program loaded and attached, UMEM registered, socket bound, region made
 *     start   the worker's thread runs, pinned
 *     stop    the thread ends; socket and region stay, and start may follow
 *     close   everything is given back
 *
 * A call that fails fills in the error, leaves nothing half-made and returns NULL or a negative errno.
 * An engine is used by one thread at a time, except for its region.
 */
#ifndef XDPLAB_ENGINE_H
#define XDPLAB_ENGINE_H

#include "telemetry.h"

/* What was being done when the kernel refused; Python has the remedies. */
enum xdplab_step {
	XDPLAB_STEP_NONE,
	XDPLAB_STEP_LOAD_PROGRAM,
	XDPLAB_STEP_ATTACH_PROGRAM,
	XDPLAB_STEP_OPEN_SOCKET,
	XDPLAB_STEP_REGISTER_UMEM,
	XDPLAB_STEP_SIZE_RINGS,
	XDPLAB_STEP_BIND,
	XDPLAB_STEP_ENTER_SOCKET,
	XDPLAB_STEP_MAKE_REGION,
	XDPLAB_STEP_START_THREAD,
	XDPLAB_STEP_PREPARE_WAIT,
	XDPLAB_STEP_GENERATE,
	XDPLAB_STEP_TRACE,
};

struct xdplab_error {
	uint32_t step;
	int32_t code; /* positive errno */
	char tried[160];
	char detail[16384]; /* the verifier's words, where it spoke */
};

enum xdplab_attach_mode { XDPLAB_ATTACH_NATIVE, XDPLAB_ATTACH_SKB };
enum xdplab_bind_mode { XDPLAB_BIND_AUTO, XDPLAB_BIND_COPY, XDPLAB_BIND_ZERO_COPY };

struct xdplab_config {
	const char *program; /* path of the compiled capture program */
	uint32_t interface_index;
	uint32_t queue;
	uint32_t attach_mode;
	uint32_t bind_mode;
	uint32_t ring_size; /* of RX, TX and completion ring; the fill ring and the UMEM hold twice as many */
	uint32_t frame_size;
	int32_t cpu; /* core of the worker */
	uint32_t sample_bytes;
	uint64_t publish_interval_ns;
};

/* What became of frames in the XDP program, summed over the cores. */
struct xdplab_verdicts {
	uint64_t redirected; /* to the engine's socket */
	uint64_t passed;     /* ARP, neighbour discovery and the like, left to the stack */
	uint64_t no_socket;  /* arrived on a queue without an engine, left to the stack */
};

struct xdplab_engine;

struct xdplab_engine *xdplab_engine_open(const struct xdplab_config *config, struct xdplab_error *error);
int xdplab_engine_start(struct xdplab_engine *engine, struct xdplab_error *error);
void xdplab_engine_stop(struct xdplab_engine *engine);
void xdplab_engine_close(struct xdplab_engine *engine);
int xdplab_engine_descriptor(const struct xdplab_engine *engine); /* of the region, owned by the engine */
struct xdplab_control *xdplab_engine_control(const struct xdplab_engine *engine, uint32_t worker);
int xdplab_engine_zero_copy(const struct xdplab_engine *engine);
int xdplab_engine_verdicts(const struct xdplab_engine *engine, struct xdplab_verdicts *verdicts);

/* Names of the wait strategies in the order of their indices; NULL past the last. */
const char *xdplab_wait_strategy(uint32_t index);
/* 0, or the errno for which the strategy can't be used by the running worker. */
int xdplab_engine_wait_refusal(const struct xdplab_engine *engine, uint32_t index);

/* The reading side of the region, for any process: map, read, unmap. */
struct xdplab_region;
struct xdplab_region *xdplab_region_map(int descriptor, struct xdplab_error *error);
void xdplab_region_unmap(struct xdplab_region *region);
const struct xdplab_header *xdplab_region_header(const struct xdplab_region *region);
const struct xdplab_control *xdplab_region_control(const struct xdplab_region *region, uint32_t worker);
/* A word of a control block. */
uint64_t xdplab_load(const uint64_t *word);
void xdplab_store(uint64_t *word, uint64_t value);
/* How many were ever written. */
uint64_t xdplab_history_written(const struct xdplab_region *region, uint32_t worker);
uint64_t xdplab_samples_written(const struct xdplab_region *region, uint32_t worker);
/* Copies whole records from number `from` on, oldest first, skipping those already overwritten or not yet
 * whole. Returns how many were copied; *next is the number to go on from. */
uint32_t xdplab_read_history(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     struct xdplab_record *records, uint32_t limit, uint64_t *next);
uint32_t xdplab_read_samples(const struct xdplab_region *region, uint32_t worker, uint64_t from,
			     void *records, uint32_t limit, uint64_t *next);
void xdplab_read_latency(const struct xdplab_region *region, uint32_t worker, uint64_t *buckets);
/* The first nanosecond that belongs to a latency bucket. */
uint64_t xdplab_latency_bucket_start(uint32_t bucket);

/* The in-kernel generator: BPF_PROG_TEST_RUN with live frames, on a thread of its own. */
struct xdplab_traffic {
	const char *program;
	uint32_t interface_index; /* sends out of it; looked up in the caller's network namespace */
	int32_t cpu;
	uint32_t size; /* of a frame, without its checksum */
	uint32_t flows;
	uint64_t interval_ps; /* between two frames, in picoseconds; 0: as fast as it can */
	uint64_t limit_frames; /* of one start; 0: none */
	uint64_t limit_ns;     /* of one start; 0: none */
	uint8_t headers[42];   /* Ethernet, IPv4, UDP */
};
struct xdplab_generator;
struct xdplab_generator *xdplab_generator_open(const struct xdplab_traffic *traffic, struct xdplab_error *error);
int xdplab_generator_start(struct xdplab_generator *generator, struct xdplab_error *error);
void xdplab_generator_stop(struct xdplab_generator *generator);
void xdplab_generator_close(struct xdplab_generator *generator);
void xdplab_generator_set_interval(struct xdplab_generator *generator, uint64_t interval_ps);
uint64_t xdplab_generator_sent(const struct xdplab_generator *generator);
int xdplab_generator_running(const struct xdplab_generator *generator);
int xdplab_generator_fault(const struct xdplab_generator *generator); /* errno that ended it, or 0 */

/* Time in the network softirqs, core by core, from the kernel's own tracepoints. */
struct xdplab_softirq;
struct xdplab_softirq *xdplab_softirq_open(const char *program, struct xdplab_error *error);
uint64_t xdplab_softirq_ns(const struct xdplab_softirq *softirq, uint32_t cpu);
void xdplab_softirq_close(struct xdplab_softirq *softirq);

/* Of the calling thread; Python has these from 3.12 on. 0 or a negative errno. */
int xdplab_setns(int descriptor);
int xdplab_unshare_network(void);

#endif
