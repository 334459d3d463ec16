/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

static int load(const struct program_code *code, char *log, size_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP, .prog_flags = code->flags,
		    .prog_ifindex = code->interface_index, .fd_array = code->maps, .log_level = log ? 1 : 0,
		    .log_buf = log, .log_size = (uint32_t)size);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, code->name, code->license, code->instructions, code->count,
			     &options);
}

/* Before Linux 6.4 the kernel keeps the beginning of a log that does not fit, and the reason is at its end. */
static void keep_end_of_log(const struct program_code *code, char *log, size_t size)
{
	enum { LARGE = 16 << 20 };
	const char *end;
	char *whole;
	size_t length;
	int descriptor;

	if (strstr(log, "\nprocessed "))
		return;
	whole = calloc(1, LARGE);
	if (!whole)
		return;
	descriptor = load(code, whole, LARGE);
	if (descriptor >= 0)
		close(descriptor);
	length = strlen(whole);
	end = length < size ? whole : whole + length - size + 1;
	memcpy(log, end, strlen(end) + 1);
	free(whole);
}

int program_load_code(const struct program_code *program, struct xdplab_error *error)
{
	int descriptor, code;

	if (program_check_descriptors("have the descriptors that an XDP program takes", error))
		return -error->code;
	descriptor = load(program, error->detail, sizeof(error->detail));
	if (descriptor >= 0)
		return descriptor;
	code = errno;
	/* The log did not fit: that does not mean that the kernel refused the program. */
	if (code == ENOSPC) {
		descriptor = load(program, NULL, 0);
		if (descriptor >= 0)
			return descriptor;
		code = errno;
		keep_end_of_log(program, error->detail, sizeof(error->detail));
	}
	/* Without a log the verifier has not seen it. */
	return fail(error, error->detail[0] ? XDPLAB_STEP_VERIFY_PROGRAM : XDPLAB_STEP_LOAD_PROGRAM, code,
		    "load the XDP program %s", program->name);
}

int xdplab_program_load(const struct xdplab_program *program, const int32_t *maps, struct xdplab_error *error)
{
	const struct program_code code = {
		.name = program->name,
		.license = program->license,
		.instructions = (const struct bpf_insn *)program->instructions,
		.count = program->instruction_count,
		.flags = program->flags,
		.maps = maps,
	};

	return program_load_code(&code, error);
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
