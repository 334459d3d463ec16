/* SPDX-License-Identifier: Apache-2.0
 *
 * xdp: the XDP program counts and drops the packets, the upper limit for all other paths. The worker only sleeps, and
 * publishes the counts of the program's map.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "shared/path.h"
#include "include/program_maps.h"
#include "shared/worker.h"
#include "xdp/xdp.h"

struct path_xdp {
	struct path path; /* its descriptor is a socket that receives nothing, used to query the link */
	uint32_t interface_index;
	int map; /* a descriptor of our own: the program is detached while the worker runs */
	uint32_t cpus;
	struct verdicts per_cpu[];
};

static uint32_t receive(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	(void)path;
	(void)frames;
	(void)limit;
	return 0;
}

static void recycle(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	(void)path;
	(void)frames;
	(void)count;
}

static bool wait(struct path *path, struct worker *worker, uint64_t timeout_ns)
{
	const struct timespec timeout = clock_timespec(timeout_ns);

	(void)path;
	if (!timeout_ns)
		return false;
	worker->counters.syscalls[XDPLAB_SYSCALL_NANOSLEEP]++;
	worker->counters.timeouts++;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &timeout, NULL);
	return false;
}

static void publish_receive(struct path *path, const struct xdplab_counters *base, struct xdplab_counters *counters)
{
	struct path_xdp *self = (struct path_xdp *)path;
	struct xdplab_verdicts verdicts;

	counters->syscalls[XDPLAB_SYSCALL_PUBLISH]++;
	if (xdp_sum_verdicts(self->map, self->per_cpu, self->cpus, &verdicts))
		return;
	counters->rx_packets = base->rx_packets + verdicts.redirected;
	counters->rx_bytes = base->rx_bytes + verdicts.bytes;
	counters->rx_producer = counters->rx_consumer = base->rx_producer + verdicts.redirected;
}

static int fault(struct path *path)
{
	return path_link_fault(path->descriptor, ((struct path_xdp *)path)->interface_index);
}

static void close_path(struct path *path)
{
	struct path_xdp *self = (struct path_xdp *)path;

	if (self->map >= 0)
		close(self->map);
	close(path->descriptor);
	free(self);
}

static int attached(struct path *path, const struct xdp *xdp, struct xdplab_error *error)
{
	struct path_xdp *self = (struct path_xdp *)path;

	self->map = fcntl(xdp->verdicts, F_DUPFD_CLOEXEC, 0);
	return self->map < 0 ? fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "hold the program's counters") : 0;
}

static const struct path_operations operations = {
	PATH_SENDS_NOTHING,
	.receive = receive,
	.recycle = recycle,
	.wait = wait,
	.publish_receive = publish_receive,
	.fault = fault,
	.close = close_path,
	.attached = attached,
};

static struct path *open_path(const struct path_place *place, struct xdplab_error *error)
{
	const int cpus = libbpf_num_possible_cpus();
	struct path_xdp *self = cpus < 0 ? NULL : calloc(1, sizeof(*self) + (size_t)cpus * sizeof(*self->per_cpu));

	if (!self) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOMEM, "allocate a receive path");
		return NULL;
	}
	self->interface_index = place->interface_index;
	self->map = -1;
	self->cpus = (uint32_t)cpus;
	self->path = (struct path){
		.operations = &operations,
		.descriptor = path_socket(place, AF_INET, SOCK_DGRAM),
		.packet_frames = 1,
		.only_drops = true,
	};
	if (self->path.descriptor < 0) {
		fail(error, XDPLAB_STEP_OPEN_SOCKET, errno, "open a socket to ask for the link");
		free(self);
		return NULL;
	}
	return &self->path;
}

const struct path_kind path_xdp = {
	.name = "xdp",
	.counts = XDPLAB_COUNTS_DROPPED,
	.programs = &xdp_kernel,
	.open = open_path,
};
