/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "include/program_maps.h"
#include "include/softirq.h"
#include "xdp/program.h"

struct xdplab_softirq {
	struct bpf_object *object;
	int entry;
	int exit;
	int times;
};

struct xdplab_softirq *xdplab_softirq_open(const char *program, struct xdplab_error *error)
{
	struct xdplab_softirq *softirq = calloc(1, sizeof(*softirq));

	if (!softirq) {
		fail(error, XDPLAB_STEP_TRACE, ENOMEM, "allocate a tracer");
		return NULL;
	}
	softirq->object = program_open(program, error);
	if (!softirq->object)
		goto free_softirq;
	if (program_load(softirq->object, program, error)) {
		/* A tracing program needs more privilege than one that handles packets. */
		if (error->code == EPERM)
			error->step = XDPLAB_STEP_TRACE;
		goto close_object;
	}
	softirq->times = bpf_object__find_map_fd_by_name(softirq->object, "softirq_times");
	softirq->entry = bpf_raw_tracepoint_open("softirq_entry",
						 program_descriptor(softirq->object, "softirq_entry"));
	if (softirq->entry < 0)
		goto refused;
	softirq->exit = bpf_raw_tracepoint_open("softirq_exit",
						program_descriptor(softirq->object, "softirq_exit"));
	if (softirq->exit < 0) {
		close(softirq->entry);
		goto refused;
	}
	return softirq;
refused:
	fail(error, XDPLAB_STEP_TRACE, errno, "trace the kernel's softirqs");
close_object:
	bpf_object__close(softirq->object);
free_softirq:
	free(softirq);
	return NULL;
}

int xdplab_softirq_read_only(const struct xdplab_softirq *softirq)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	union bpf_attr request = { .open_flags = BPF_F_RDONLY };
	int descriptor;

	if (bpf_obj_get_info_by_fd(softirq->times, &info, &length))
		return -errno;
	request.map_id = info.id;
	/* libbpf 1.1 can't pass the flags. */
	descriptor = (int)syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &request, sizeof(request));
	return descriptor < 0 ? -errno : descriptor;
}

uint64_t xdplab_softirq_ns(const struct xdplab_softirq *softirq, uint32_t cpu)
{
	return xdplab_softirq_map_ns(softirq->times, cpu);
}

uint64_t xdplab_softirq_map_ns(int map, uint32_t cpu)
{
	const int cpus = libbpf_num_possible_cpus();
	const uint32_t key = 0;
	struct softirq_time *times;
	uint64_t total = 0;

	if (cpus < 0 || cpu >= (uint32_t)cpus)
		return 0;
	times = calloc((size_t)cpus, sizeof(*times));
	if (times && !bpf_map_lookup_elem(map, &key, times))
		total = times[cpu].total_ns;
	free(times);
	return total;
}

void xdplab_softirq_close(struct xdplab_softirq *softirq)
{
	close(softirq->exit);
	close(softirq->entry);
	bpf_object__close(softirq->object);
	free(softirq);
}

DEFINE_GIVE_BACK(xdplab_softirq)
