/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "include/program.h"

__attribute__((format(printf, 2, 0)))
static void print(void *file, const char *format, va_list arguments)
{
	vfprintf(file, format, arguments);
}

static int dump(const struct btf *types, FILE *file)
{
	LIBBPF_OPTS(btf_dump_opts, options);
	struct btf_dump *dumped = btf_dump__new(types, print, file, &options);
	int result = dumped ? 0 : -errno;

	for (uint32_t type = 1; !result && type < btf__type_cnt(types); type++)
		result = btf_dump__dump_type(dumped, type);
	btf_dump__free(dumped);
	return result;
}

int xdplab_kernel_types(int32_t descriptor)
{
	struct btf *types;
	FILE *file;
	int result;

	/* libbpf would also write our errors to standard error. */
	libbpf_set_print(NULL);
	types = btf__load_vmlinux_btf();
	if (!types)
		return -errno;
	descriptor = dup(descriptor);
	file = fdopen(descriptor, "w");
	if (!file) {
		result = -errno;
		close(descriptor);
	} else {
		result = dump(types, file);
		if (fclose(file) && !result)
			result = -errno;
	}
	btf__free(types);
	return result;
}
