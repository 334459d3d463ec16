/* SPDX-License-Identifier: Apache-2.0
 *
 * The in-kernel generator: a thread that runs bpf/generate.bpf.c with live frames.
 *
 * It makes one BPF_PROG_TEST_RUN after another, each short, to check the stop flag in between. Each would
 * wait some 40 ms for RCU while the kernel enters the program in its dispatcher and takes it out again
 * (bpf_dispatcher_change_prog, Linux 6.18), unless the program is attached somewhere; so it is attached to
 * the loopback interface of the sender's namespace for as long as the generator lives.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/headers.h"
#include "base/knob.h"
#include "include/traffic.h"
#include "send/generator.h"
#include "send/sender.h"
#include "xdp/program.h"

enum {
	LOOPBACK_INDEX = 1,
	/* Some 15 ms of frames that are sent, or 3 ms of frames that are not due; each run costs 20 us. */
	RUN_FRAMES = 1 << 16,
	/* Frames further apart than this are slept for; the sleep is some 50 us late. */
	SLEEP_FROM_NS = 200 * 1000,
	LONGEST_PAUSE_NS = 10 * 1000 * 1000,
};

struct kernel_generator {
	struct xdplab_generator generator;
	struct bpf_object *object;
	int program;
	int loopback_link;
	struct traffic_state *state;
	size_t state_size;
	uint32_t size;
	uint64_t clock_offset_ns;

	struct sender sender;
};

static struct kernel_generator *self_of(struct xdplab_generator *generator)
{
	return (struct kernel_generator *)generator;
}

/* The program in the kernel reads and writes the state at its own pace. */
static uint64_t state_load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void state_store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Between two runs, since a run's frames are all of the length that it began with. */
static void adopt_size(struct kernel_generator *generator)
{
	const uint32_t wanted = (uint32_t)knob(&generator->generator.wanted_size);

	if (wanted == generator->size)
		return;
	generator->size = wanted;
	headers_set_size(generator->state->headers, wanted);
}

static int run_program(const struct kernel_generator *generator, uint32_t frames)
{
	uint8_t frame[4096] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = generator->size,
		    .repeat = (int)frames, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	/* So that the addresses are not all zero as on the loopback; the program writes the real ones. */
	memcpy(frame, generator->state->headers, TRAFFIC_HEADERS);
	return bpf_prog_test_run_opts(generator->program, &options) ? errno : 0;
}

/* The time by the program's clock. */
static uint64_t kernel_ns(const struct kernel_generator *generator)
{
	return clock_ns(CLOCK_MONOTONIC) - generator->clock_offset_ns;
}

/* Sleeps if the next frame is far off, so that slow traffic does not use a whole core. Returns the number of frames
 * that the next run should try. */
static uint32_t await_next(const struct kernel_generator *generator)
{
	const struct traffic_state *state = generator->state;
	const uint64_t now = kernel_ns(generator);
	const uint64_t until = least(traffic_next_ns(state), state->deadline_ns);

	if (state_load(&state->interval_ps) < SLEEP_FROM_NS * 1000ull)
		return RUN_FRAMES;
	if (until > now) {
		/* Short enough for a quick stop. */
		const struct timespec pause = clock_timespec(least(until - now, LONGEST_PAUSE_NS));

		nanosleep(&pause, NULL);
	}
	return 1;
}

static void *generator_main(void *argument)
{
	struct kernel_generator *generator = argument;
	struct traffic_state *state = generator->state;
	int fault = 0;

	generator->clock_offset_ns = clock_offset_ns();
	generator_began(&generator->generator);
	traffic_begin(state, kernel_ns(generator), generator->generator.limit_frames, generator->generator.limit_ns);
	while (!fault && !traffic_is_finished(state, kernel_ns(generator)) && !sender_is_to_stop(&generator->sender)) {
		const uint32_t frames = await_next(generator);
		const uint64_t sent = state->sent;

		adopt_size(generator);
		fault = run_program(generator, frames);
		/* Relaxed: a count; nobody else writes it. */
		if (generator->size > generator->generator.longest)
			atomic_fetch_add_explicit(&generator->generator.too_long, state_load(&state->sent) - sent,
						  memory_order_relaxed);
		if (fault == EINTR || fault == EAGAIN)
			fault = 0;
		if (state_load(&state->unplugged))
			fault = ENODEV;
	}
	generator_ended(&generator->generator, fault);
	return NULL;
}

static int map_state(struct kernel_generator *generator, struct xdplab_error *error)
{
	int map = bpf_object__find_map_fd_by_name(generator->object, "state");

	generator->state_size = (size_t)sysconf(_SC_PAGESIZE);
	generator->state = mmap(NULL, generator->state_size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (generator->state == MAP_FAILED)
		return fail(error, XDPLAB_STEP_GENERATE, errno, "map the generator's state");
	return 0;
}

/* The DEVMAP resolves the interface in this thread's namespace, so the generator's thread need not be in it. */
static int connect_wire(struct kernel_generator *generator, uint32_t interface_index,
			struct xdplab_error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
	const uint32_t key = 0;
	int wire = bpf_object__find_map_fd_by_name(generator->object, "wire");

	if (bpf_map_update_elem(wire, &key, &interface_index, BPF_ANY))
		return fail(error, XDPLAB_STEP_GENERATE, errno, "send through interface %u", interface_index);
	generator->loopback_link = bpf_link_create(generator->program, LOOPBACK_INDEX, BPF_XDP, &options);
	if (generator->loopback_link < 0)
		return fail(error, XDPLAB_STEP_GENERATE, errno,
			    "attach the generator to the loopback interface of the sender's namespace");
	return 0;
}

static int start(struct xdplab_generator *generator, struct xdplab_error *error)
{
	struct kernel_generator *self = self_of(generator);

	return sender_start(&self->sender, generator->cpu, "xdplab-traffic", generator_main, self, error);
}

static void stop(struct xdplab_generator *generator)
{
	sender_stop(&self_of(generator)->sender);
}

static void close_generator(struct xdplab_generator *generator)
{
	struct kernel_generator *self = self_of(generator);

	close(self->loopback_link);
	munmap(self->state, self->state_size);
	bpf_object__close(self->object);
	free(self);
}

static void set_interval(struct xdplab_generator *generator, uint64_t interval_ps)
{
	state_store(&self_of(generator)->state->interval_ps, interval_ps);
}

static uint64_t sent(const struct xdplab_generator *generator)
{
	return state_load(&((const struct kernel_generator *)generator)->state->sent);
}

static int state_descriptor(const struct xdplab_generator *generator)
{
	return bpf_object__find_map_fd_by_name(((const struct kernel_generator *)generator)->object, "state");
}

static const struct generator_operations operations = {
	.start = start,
	.stop = stop,
	.close = close_generator,
	.set_interval = set_interval,
	.sent = sent,
	.state = state_descriptor,
};

struct xdplab_generator *xdplab_generator_open(const struct xdplab_traffic *traffic, struct xdplab_error *error)
{
	struct kernel_generator *generator = calloc(1, sizeof(*generator));

	if (!generator) {
		fail(error, XDPLAB_STEP_GENERATE, ENOMEM, "allocate a generator");
		return NULL;
	}
	generator_init(&generator->generator, &operations, traffic);
	generator->size = traffic->stream.size;
	generator->object = program_open(traffic->program, error);
	if (!generator->object)
		goto free_generator;
	if (program_load(generator->object, traffic->program, error))
		goto close_object;
	generator->program = program_descriptor(generator->object, "generate");
	if (map_state(generator, error))
		goto close_object;
	if (connect_wire(generator, traffic->interface_index, error))
		goto unmap;
	generator->state->interval_ps = traffic->stream.interval_ps;
	generator->state->flows = traffic->stream.flows;
	memcpy(generator->state->headers, traffic->stream.headers, TRAFFIC_HEADERS);
	return &generator->generator;
unmap:
	munmap(generator->state, generator->state_size);
close_object:
	bpf_object__close(generator->object);
free_generator:
	free(generator);
	return NULL;
}
