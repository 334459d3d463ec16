/* SPDX-License-Identifier: Apache-2.0 */
#include "include/drops.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "include/program_maps.h"
#include "xdp/program.h"

static_assert(sizeof(struct xdplab_drop_place) == sizeof(struct drop_place) &&
		      XDPLAB_DROPPED_BY_REDIRECT == (int)DROPPED_BY_REDIRECT,
	      "handed on as they are");

#define PREFIX "SKB_DROP_REASON_"

/* By the kind of drop: the tracepoint, and the program for it. */
static const struct {
	const char *tracepoint;
	const char *program;
} traces[DROP_KINDS] = {
	[DROPPED_BY_STACK] = { "kfree_skb", "by_stack" },
	[DROPPED_BY_XDP] = { "xdp_exception", "by_xdp" },
	[DROPPED_BY_REDIRECT] = { "xdp_redirect_err", "by_redirect" },
};

struct xdplab_drops {
	struct bpf_object *object;
	struct btf *types; /* the kernel's; NULL if it has none */
	int links[DROP_KINDS];
	int counts;
};

static int watch(const struct xdplab_drops *drops, const struct xdplab_drop_place *places, uint32_t count,
		 struct xdplab_error *error)
{
	const int map = bpf_object__find_map_fd_by_name(drops->object, "places");
	const uint32_t value = 1;

	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_update_elem(map, places + i, &value, BPF_ANY))
			return fail(error, XDPLAB_STEP_TRACE, errno, "choose the interfaces to watch");
	return 0;
}

static int trace(struct xdplab_drops *drops, struct xdplab_error *error)
{
	for (uint32_t kind = 0; kind < DROP_KINDS; kind++) {
		drops->links[kind] = bpf_raw_tracepoint_open(
			traces[kind].tracepoint, program_descriptor(drops->object, traces[kind].program));
		if (drops->links[kind] < 0)
			return fail(error, XDPLAB_STEP_TRACE, errno, "trace the kernel's %s",
				    traces[kind].tracepoint);
	}
	return 0;
}

struct xdplab_drops *xdplab_drops_open(const char *program, const struct xdplab_drop_place *places, uint32_t count,
				       struct xdplab_error *error)
{
	struct xdplab_drops *drops = calloc(1, sizeof(*drops));

	if (!drops) {
		fail(error, XDPLAB_STEP_TRACE, ENOMEM, "allocate a tracer");
		return NULL;
	}
	for (uint32_t kind = 0; kind < DROP_KINDS; kind++)
		drops->links[kind] = -1;
	drops->object = program_open(program, error);
	if (!drops->object)
		goto close;
	if (program_load(drops->object, program, error)) {
		/* A tracing program needs more privilege than one that handles packets. */
		if (error->code == EPERM)
			error->step = XDPLAB_STEP_TRACE;
		goto close;
	}
	drops->counts = bpf_object__find_map_fd_by_name(drops->object, "drops");
	drops->types = btf__load_vmlinux_btf();
	if (!watch(drops, places, count, error) && !trace(drops, error))
		return drops;
close:
	xdplab_drops_close(drops);
	return NULL;
}

static uint64_t sum(const uint64_t *per_cpu, int cpus)
{
	uint64_t total = 0;

	for (int cpu = 0; cpu < cpus; cpu++)
		total += per_cpu[cpu];
	return total;
}

int xdplab_drops_read(const struct xdplab_drops *drops, struct xdplab_drop *found, uint32_t room)
{
	const int cpus = libbpf_num_possible_cpus();
	struct drop key, next;
	uint64_t *per_cpu;
	uint32_t count = 0;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	/* Entries are only added, so none is missed but new ones. */
	for (const struct drop *at = NULL; count < room && !bpf_map_get_next_key(drops->counts, at, &next); at = &key) {
		key = next;
		if (bpf_map_lookup_elem(drops->counts, &key, per_cpu))
			continue;
		found[count++] = (struct xdplab_drop){
			.place = { .network = key.place.network, .interface = key.place.interface },
			.kind = key.kind,
			.cause = key.cause,
			.packets = sum(per_cpu, cpus),
		};
	}
	free(per_cpu);
	return (int)count;
}

const char *xdplab_drops_reason(const struct xdplab_drops *drops, int32_t reason)
{
	const int number = drops->types ? btf__find_by_name_kind(drops->types, "skb_drop_reason", BTF_KIND_ENUM) : -1;
	const struct btf_type *type = number < 0 ? NULL : btf__type_by_id(drops->types, (uint32_t)number);

	for (uint32_t i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_enum *value = btf_enum(type) + i;
		const char *name = btf__name_by_offset(drops->types, value->name_off);

		if (value->val == reason && !strncmp(name, PREFIX, strlen(PREFIX)))
			return name + strlen(PREFIX);
	}
	return "";
}

void xdplab_drops_close(struct xdplab_drops *drops)
{
	for (uint32_t kind = 0; kind < DROP_KINDS; kind++)
		if (drops->links[kind] >= 0)
			close(drops->links[kind]);
	btf__free(drops->types);
	bpf_object__close(drops->object);
	free(drops);
}

DEFINE_GIVE_BACK(xdplab_drops)
