/* SPDX-License-Identifier: Apache-2.0
 *
 * Generators: they send numbered frames out of an interface, or those of a capture file. A generator runs in this process
 * (send/generator.c, send/kernel_generator.c, send/replay_generator.c), or in another one and is read through its shared
 * state (send/generator_state.c).
 */
#ifndef XDPLAB_INCLUDE_GENERATOR_H
#define XDPLAB_INCLUDE_GENERATOR_H

#include <stdint.h>

#include "include/error.h"
#include "include/stream.h"
#include "include/umem.h"

struct xdplab_traffic {
	const char *program;
	uint32_t interface_index; /* it sends out of this one; looked up in the caller's network namespace */
	int32_t cpu;
	uint32_t longest; /* bytes of the longest frame the interface takes: the kernel drops longer ones silently */
	struct xdplab_stream_config stream;
};
struct xdplab_generator;
/* Opens the in-kernel generator: BPF_PROG_TEST_RUN with live frames, on a thread of its own. */
struct xdplab_generator *xdplab_generator_open(const struct xdplab_traffic *traffic, struct xdplab_error *error);
int xdplab_generator_start(struct xdplab_generator *generator, struct xdplab_error *error);
void xdplab_generator_stop(struct xdplab_generator *generator);
void xdplab_generator_close(struct xdplab_generator *generator);
void xdplab_generator_set_interval(struct xdplab_generator *generator, uint64_t interval_ps);
void xdplab_generator_set_size(struct xdplab_generator *generator, uint32_t size);
uint64_t xdplab_generator_sent(const struct xdplab_generator *generator);
uint64_t xdplab_generator_sending_ns(const struct xdplab_generator *generator); /* time spent sending, of all starts */
uint64_t xdplab_generator_too_long(const struct xdplab_generator *generator); /* sent frames longer than `longest` */
int xdplab_generator_running(const struct xdplab_generator *generator);
int xdplab_generator_fault(const struct xdplab_generator *generator); /* errno that ended it, or 0 */
/* Closes the generator that `held` points to, unless NULL, and sets the pointer to NULL. */
void xdplab_generator_give_back(struct xdplab_generator **held);

/* Frames of a capture file; copied. */
struct xdplab_replay {
	const uint8_t *frames; /* one behind the other */
	const uint32_t *lengths;
	const uint64_t *times_ns; /* when each was captured */
	uint32_t count;  /* 0: the frames come by xdplab_generator_feed after each start */
	uint32_t repeat; /* times that they are sent in one start; 0: until it is stopped */
};
/* Opens a generator that sends the frames of a capture file through an AF_XDP socket, from a thread of its own. It ignores
 * the traffic's program. With an interval of 0 it keeps the time between the frames. Its UMEM is in a memfd if it is
 * `shared`. It must be bound before it is started. */
struct xdplab_generator *xdplab_replay_open(const struct xdplab_traffic *traffic, const struct xdplab_replay *replay,
					    uint32_t shared, struct xdplab_error *error);
/* Describes its UMEM, for another process that registers it. */
void xdplab_replay_umem(const struct xdplab_generator *generator, struct xdplab_umem *umem);
/* Binds it to a queue in the calling thread's network namespace: by a socket of its own, or by a copy of the given one, with
 * which another process may have registered its UMEM. 0, or a negative errno: then it can be bound again. */
int xdplab_replay_bind(struct xdplab_generator *generator, uint32_t queue, int socket, uint32_t umem_registered,
		       struct xdplab_error *error);
/* Gives more frames to a running generator that was opened without; `complete` with the last. Their times begin at 0 and never
 * fall. 0; -EAGAIN: it has enough for now; -ECANCELED: it does not run; or another negative errno. */
int xdplab_generator_feed(struct xdplab_generator *generator, const struct xdplab_replay *more, uint32_t complete);

/* Descriptor of the generator's state, owned by the generator; -ENOENT at a simulated interface. */
int xdplab_generator_state(const struct xdplab_generator *generator);
/* Another process can map that state to read it and to set the interval. */
struct xdplab_generator_state;
struct xdplab_generator_state *xdplab_generator_state_map(int descriptor, struct xdplab_error *error);
void xdplab_generator_state_unmap(struct xdplab_generator_state *state);
uint64_t xdplab_generator_state_sent(const struct xdplab_generator_state *state);
void xdplab_generator_state_set_interval(struct xdplab_generator_state *state, uint64_t interval_ps);

#endif
