/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "include/program.h"
#include "xdp/program.h"

int xdplab_map_create(const struct xdplab_map *map, struct xdplab_error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = map->flags);
	const uint32_t key = 0;
	int descriptor;

	if (program_check_descriptors("have the descriptors that a map takes", error))
		return -error->code;
	descriptor = bpf_map_create(map->type, map->name, map->key_size, map->value_size, map->entries, &options);
	if (descriptor < 0)
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, errno, "make the map %s", map->name);
	if ((map->initial && bpf_map_update_elem(descriptor, &key, map->initial, BPF_ANY)) ||
	    (map->frozen && bpf_map_freeze(descriptor))) {
		fail(error, XDPLAB_STEP_LOAD_PROGRAM, errno, "fill the map %s", map->name);
		close(descriptor);
		return -error->code;
	}
	return descriptor;
}

int xdplab_program_load(const struct xdplab_program *program, const int32_t *maps, struct xdplab_error *error)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP, .prog_flags = program->flags,
		    .fd_array = maps);

	return program_load_instructions(program->name, program->license,
					 (const struct bpf_insn *)program->instructions, program->instruction_count,
					 &options, error);
}

int xdplab_program_attach(int32_t program, uint32_t interface_index, uint32_t attach_mode, struct xdplab_error *error)
{
	return program_link(program, interface_index, attach_mode, error);
}

int xdplab_link_replace(int32_t link, int32_t program, struct xdplab_error *error)
{
	if (bpf_link_update(link, program, NULL))
		return fail(error, XDPLAB_STEP_ATTACH_PROGRAM, errno, "replace the XDP program");
	return 0;
}

uint32_t xdplab_link_id(int32_t link)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	/* Of a map or a program this reads other fields than it takes them for. Nothing can be replaced there. */
	if (bpf_obj_get_info_by_fd(link, &info, &length) || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.id;
}

int xdplab_bpf_exists(uint32_t is_map, uint32_t id)
{
	uint32_t next = 0;
	int result;

	if (!id)
		return 0;
	result = is_map ? bpf_map_get_next_id(id - 1, &next) : bpf_prog_get_next_id(id - 1, &next);
	return !result && next == id;
}
