/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sleepers that never miss each other: a worker that waits for frames in every way there is, and the wire's thread
 * that waits for frames to send. Each of many frames comes when the other may just be falling asleep, and nothing
 * else would wake it: a lost wakeup would be waited for in vain.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "soft_bench.h"
#include "wait/uring.h"

enum { RING = 64, FRAMES = 20000 / SLOWNESS, LONG_MS = 30000 };

enum way { POLL, EPOLL, ONESHOT, MULTISHOT, WAYS };
static const char *const names[] = { "poll", "epoll", "a oneshot poll", "a multishot poll" };

struct sleeper {
	enum way way;
	int descriptor;
	int epoll;
	struct uring uring;
};

static bool open_sleeper(struct sleeper *sleeper, enum way way, int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };
	int result;

	*sleeper = (struct sleeper){ .way = way, .descriptor = descriptor, .epoll = -1 };
	if (way == EPOLL) {
		sleeper->epoll = epoll_create1(EPOLL_CLOEXEC);
		CHECK(!epoll_ctl(sleeper->epoll, EPOLL_CTL_ADD, descriptor, &event), "%s", strerror(errno));
	}
	if (way == POLL || way == EPOLL)
		return true;
	result = uring_open(&sleeper->uring);
	/* What a sandbox says that forbids it; test_uring.c says so too. */
	if (result == -EPERM || result == -ENOSYS || result == -EINVAL)
		return false;
	CHECK(!result, "%s", strerror(-result));
	return true;
}

static bool sleep_once(struct sleeper *sleeper)
{
	struct pollfd readiness = { .fd = sleeper->descriptor, .events = POLLIN };
	struct epoll_event event;

	if (sleeper->way == POLL)
		return poll(&readiness, 1, LONG_MS) == 1;
	if (sleeper->way == EPOLL)
		return epoll_wait(sleeper->epoll, &event, 1, LONG_MS) == 1;
	if (!sleeper->uring.armed)
		uring_arm(&sleeper->uring, sleeper->descriptor, sleeper->way == MULTISHOT);
	return uring_wait(&sleeper->uring, LONG_MS * 1000000ull) == 1;
}

static void close_sleeper(struct sleeper *sleeper)
{
	if (sleeper->way == EPOLL)
		close(sleeper->epoll);
	if (sleeper->way == ONESHOT || sleeper->way == MULTISHOT)
		uring_close(&sleeper->uring);
}

/* Now shorter, now longer: the other thread is caught at every step of what it does. */
static void pause_for(uint32_t turns)
{
	for (volatile uint32_t i = 0; i < turns; i++)
		;
}

/* Each frame is sent on its way when the one before it has been seen, and arrives some time within the next 50 us: as
 * the worker looks for it for the last time, or falls asleep, or sleeps. */
static void no_frame_is_slept_on(enum way way)
{
	struct bench bench = make_bench(RING, RING, false);
	struct sleeper sleeper;
	uint64_t slept = 0, seen = 0, spurious = 0;
	const struct xdplab_wire_faults late = { .jitter_ns = 50000 };
	const struct xdplab_traffic traffic = make_traffic(64, 1);
	struct xdplab_generator *generator =
		xdplab_wire_generator_open(bench.wire, PEER, &traffic, NULL, &bench_error);

	CHECK_WELL(generator);
	xdplab_wire_set_faults(bench.wire, PORT, &late);
	if (!open_sleeper(&sleeper, way, bench.socket->readiness)) {
		printf("io_uring can't be had here\n");
		goto close;
	}
	while (seen < FRAMES / 10) {
		CHECK_WELL(!xdplab_generator_start(generator, &bench_error));
		for (;;) {
			if (soft_socket_clear(bench.socket, &bench.xsk.rx)) {
				CHECK(sleep_once(&sleeper), "%s slept on frame %llu", names[way],
				      (unsigned long long)seen);
				slept++;
			}
			if (ring_waiting_now(&bench.xsk.rx))
				break;
			spurious++;
		}
		*ring_address(&bench.xsk.fill, bench.xsk.fill.own) = ring_descriptor(&bench.xsk.rx, seen)->addr;
		ring_submit(&bench.xsk.fill, 1);
		ring_release(&bench.xsk.rx, 1);
		seen++;
	}
	CHECK(slept, "it never slept");
	CHECK(spurious <= slept, "%llu of %llu wakeups were for nothing", (unsigned long long)spurious,
	      (unsigned long long)slept);
	close_sleeper(&sleeper);
close:
	xdplab_generator_close(generator);
	free_bench(&bench);
}

/* The worker looks at the flag once for each frame, and then only waits for the completion. */
static void no_frame_to_send_is_slept_on(void)
{
	struct bench bench = make_bench(RING, 0, false);
	uint64_t kicks = 0, deadline_ns;

	for (uint32_t i = 0; i < FRAMES; i++) {
		put_descriptor(&bench, 0, 60, 0);
		hand_over(&bench);
		/* As path_soft.c does. */
		if (atomic_fetch_or_explicit(bench.xsk.tx.flags, 0, memory_order_acq_rel) & XDP_RING_NEED_WAKEUP) {
			soft_socket_kicks(bench.socket);
			soft_ring_bell(bench.wire);
			kicks++;
		}
		deadline_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
		while (!ring_waiting(&bench.xsk.completion))
			CHECK(clock_ns(CLOCK_MONOTONIC) < deadline_ns, "frame %u was slept on", i);
		ring_release(&bench.xsk.completion, 1);
		pause_for(i % 512);
	}
	CHECK(kicks, "it never slept");
	free_bench(&bench);
}

static void it_is_readable_for_as_long_as_frames_wait(void)
{
	struct bench bench = make_bench(RING, RING, false);
	struct pollfd readiness = { .fd = bench.socket->readiness, .events = POLLIN };

	CHECK(soft_socket_clear(bench.socket, &bench.xsk.rx), "frames wait");
	CHECK(poll(&readiness, 1, 0) == 0, "readable without a frame");
	receive_from_peer(bench.wire, 64, 2);
	for (int i = 0; i < 3; i++)
		CHECK(poll(&readiness, 1, 0) == 1, "not readable at look %d", i);
	CHECK(!soft_socket_clear(bench.socket, &bench.xsk.rx), "taken back though frames wait");
	ring_release(&bench.xsk.rx, 2);
	CHECK(soft_socket_clear(bench.socket, &bench.xsk.rx), "frames wait still");
	CHECK(poll(&readiness, 1, 0) == 0, "readable for what was taken");
	/* The interface's end is told, too. */
	xdplab_wire_cut(bench.wire);
	CHECK(poll(&readiness, 1, 0) == 1, "not readable at the end");
	free_bench(&bench);
}

int main(void)
{
	it_is_readable_for_as_long_as_frames_wait();
	for (enum way way = POLL; way < WAYS; way++)
		no_frame_is_slept_on(way);
	no_frame_to_send_is_slept_on();
	return 0;
}
