/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/xdp.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/error.h"
#include "xdp/match.h"
#include "xdp/program.h"
#include "include/program_maps.h"

static_assert(COUNTS_DATAGRAMS == (int)XDPLAB_COUNTS_DATAGRAMS && COUNTS_ALL == (int)XDPLAB_COUNTS_ALL &&
		      COUNTS_DROPPED == (int)XDPLAB_COUNTS_DROPPED,
	      "handed on as they are");

/* Sets the program's constants; the verifier removes branches that are dead with them. */
static int set_constants(struct bpf_object *object, const struct xdplab_attach *options,
			 struct xdplab_error *error)
{
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata");
	const struct capture_constants values = {
		.takes_all = options->takes_all,
		.counts = options->counts,
		.address = options->address,
	};

	if (!constants || bpf_map__set_initial_value(constants, &values, sizeof(values)))
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, EINVAL, "set the constants of %s", options->program);
	return 0;
}

static void set_flags(struct bpf_object *object, const struct xdplab_attach *options)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "capture"); /* in each of them */
	uint32_t flags = bpf_program__flags(program);

	/* The flag of SEC("xdp.frags"), which would need a second copy of the program: where the MTU takes several
	 * buffers a packet, drivers refuse a program without it. */
	if (options->multi_buffer)
		flags |= BPF_F_XDP_HAS_FRAGS;
	/* Loaded for this device only, whose driver implements the metadata functions. */
	if (options->metadata) {
		flags |= BPF_F_XDP_DEV_BOUND_ONLY;
		bpf_program__set_ifindex(program, options->interface_index);
	}
	bpf_program__set_flags(program, flags);
}

static void leave(const struct xdp *xdp, uint32_t queue)
{
	bpf_map_delete_elem(xdp->sockets, &queue);
}

static void detach(struct xdp *xdp)
{
	if (xdp->link >= 0)
		close(xdp->link);
	xdp->link = -1;
}

static void look(const struct xdp *xdp, struct xdplab_hold *hold)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(xdp->link, &info, &length))
		return;
	hold->interface_index = info.xdp.ifindex;
	hold->program = info.prog_id;
}

static void close_object(struct xdp *xdp)
{
	if (xdp->matching >= 0)
		close(xdp->matching);
	bpf_object__close(xdp->object);
}

static void close_maps(struct xdp *xdp)
{
	if (xdp->sockets >= 0)
		close(xdp->sockets);
	close(xdp->verdicts);
}

static int sum_verdicts(const struct xdp *xdp, struct xdplab_verdicts *verdicts)
{
	const int cpus = libbpf_num_possible_cpus();
	struct verdicts *per_cpu;
	int result;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	result = xdp_sum_verdicts(xdp->verdicts, per_cpu, (uint32_t)cpus, verdicts);
	free(per_cpu);
	return result;
}

static const struct xdp_operations taken_operations = {
	.leave = leave,
	.detach = detach,
	.close = close_maps,
	.verdicts = sum_verdicts,
	.look = look,
};

static int load(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error)
{
	struct bpf_map *sockets;

	*xdp = (struct xdp){ .object = program_open(options->program, error), .matching = -1 };
	if (!xdp->object)
		return -error->code;
	sockets = bpf_object__find_map_by_name(xdp->object, "sockets");
	if (sockets)
		bpf_map__set_max_entries(sockets, options->queues);
	set_flags(xdp->object, options);
	if (set_constants(xdp->object, options, error) || program_load(xdp->object, options->program, error)) {
		bpf_object__close(xdp->object);
		return -error->code;
	}
	xdp->sockets = sockets ? bpf_map__fd(sockets) : -1;
	xdp->verdicts = bpf_object__find_map_fd_by_name(xdp->object, "verdicts");
	if (!options->match.count)
		return 0;
	xdp->matching = match_load(bpf_object__find_program_by_name(xdp->object, "capture"), &options->match,
				   options->interface_index, xdp->verdicts, error);
	if (xdp->matching >= 0)
		return 0;
	bpf_object__close(xdp->object);
	return -error->code;
}

static int descriptor_of(const struct xdp *xdp)
{
	return xdp->matching >= 0 ? xdp->matching : program_descriptor(xdp->object, "capture");
}

static int replace(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error)
{
	struct xdp next;

	if (load(&next, options, error))
		return -error->code;
	next.operations = xdp->operations;
	next.link = xdp->link;
	if (bpf_link_update(next.link, descriptor_of(&next), NULL)) {
		program_refuse_link(options->attach_mode, error);
		close_object(&next);
		return -error->code;
	}
	*xdp = next;
	return 0;
}

static const struct xdp_operations own_operations = {
	.leave = leave,
	.detach = detach,
	.close = close_object,
	.verdicts = sum_verdicts,
	.look = look,
	.replace = replace,
};

int xdp_attach(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error)
{
	if (load(xdp, options, error))
		return -error->code;
	xdp->operations = &own_operations;
	xdp->link = program_link(descriptor_of(xdp), options->interface_index, options->attach_mode, error);
	if (xdp->link < 0)
		close_object(xdp);
	return xdp->link < 0 ? -error->code : 0;
}

static int attach(struct xdp *xdp, const struct program_options *options, struct xdplab_error *error)
{
	return xdp_attach(xdp, &options->attach, error);
}

/* A veth runs a program only on the queues that it had when the program was attached (veth_enable_xdp, Linux 6.18). */
static bool serves(const struct program_options *now, const struct program_options *wanted)
{
	return now->queue_count == wanted->queue_count && now->attach.attach_mode == wanted->attach.attach_mode &&
	       now->attach.multi_buffer == wanted->attach.multi_buffer &&
	       now->attach.match.version == wanted->attach.match.version && now->attach.queues >= wanted->attach.queues;
}

const struct xdp_kind xdp_kernel = { .attach = attach, .serves = serves };

int xdp_take(struct xdp *xdp, const struct xdplab_attachment *attachment, struct xdplab_error *error)
{
	*xdp = (struct xdp){
		.operations = &taken_operations,
		.link = fcntl(attachment->link, F_DUPFD_CLOEXEC, 0),
		.sockets = attachment->sockets < 0 ? -1 : fcntl(attachment->sockets, F_DUPFD_CLOEXEC, 0),
		.verdicts = fcntl(attachment->verdicts, F_DUPFD_CLOEXEC, 0),
	};
	if (xdp->link >= 0 && xdp->verdicts >= 0 && (attachment->sockets < 0 || xdp->sockets >= 0))
		return 0;
	fail(error, XDPLAB_STEP_ATTACH_PROGRAM, errno, "hold the XDP program's link and maps");
	detach(xdp);
	close_maps(xdp);
	return -error->code;
}

int xdp_enter_socket(const struct xdp *xdp, uint32_t queue, int socket, struct xdplab_error *error)
{
	if (bpf_map_update_elem(xdp->sockets, &queue, &socket, BPF_ANY))
		return fail(error, XDPLAB_STEP_ENTER_SOCKET, errno, "enter the socket of queue %u in the XSKMAP",
			    queue);
	return 0;
}

/* An XSKMAP can't be read. An update with BPF_EXIST does nothing if the socket is there already (xsk_map_update_elem,
 * Linux 6.18), but replaces another socket. */
bool xdp_has_socket(const struct xdp *xdp, uint32_t queue, int socket)
{
	return !bpf_map_update_elem(xdp->sockets, &queue, &socket, BPF_EXIST) || errno != ENOENT;
}

int xdp_sum_verdicts(int map, struct verdicts *per_cpu, uint32_t cpus, struct xdplab_verdicts *verdicts)
{
	const uint32_t key = 0;

	*verdicts = (struct xdplab_verdicts){ 0 };
	if (bpf_map_lookup_elem(map, &key, per_cpu))
		return -errno;
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		verdicts->redirected += per_cpu[cpu].redirected;
		verdicts->passed += per_cpu[cpu].passed;
		verdicts->no_socket += per_cpu[cpu].no_socket;
		verdicts->unmatched += per_cpu[cpu].unmatched;
		verdicts->bytes += per_cpu[cpu].bytes;
	}
	return 0;
}
