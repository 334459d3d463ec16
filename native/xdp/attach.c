/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "xdp/xdp.h"

int xdplab_attach(const struct xdplab_attach *options, struct xdplab_attachment *attachment,
		  struct xdplab_error *error)
{
	struct xdp xdp;

	if (xdp_attach(&xdp, options, error))
		return -error->code;
	/* Duplicates, since closing the object closes its own descriptors, and the program's must close. */
	attachment->link = xdp.link;
	attachment->verdicts = fcntl(xdp.verdicts, F_DUPFD_CLOEXEC, 0);
	attachment->sockets = xdp.sockets < 0 ? -1 : fcntl(xdp.sockets, F_DUPFD_CLOEXEC, 0);
	xdp.operations->close(&xdp);
	if (attachment->verdicts < 0 || (xdp.sockets >= 0 && attachment->sockets < 0)) {
		close(attachment->link);
		close(attachment->verdicts);
		return fail(error, XDPLAB_STEP_ATTACH_PROGRAM, EMFILE, "pass on the maps of an XDP program");
	}
	return 0;
}

/* An interface index may exist in several namespaces, but a program's id is unique. */
static bool is_link_of(int link, uint32_t interface_index, const struct bpf_xdp_query_opts *attached)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	return !bpf_obj_get_info_by_fd(link, &info, &length) && info.type == BPF_LINK_TYPE_XDP &&
	       info.xdp.ifindex == interface_index &&
	       (info.prog_id == attached->drv_prog_id || info.prog_id == attached->skb_prog_id ||
		info.prog_id == attached->hw_prog_id);
}

bool xdp_is_absent(uint32_t interface_index)
{
	uint32_t program;

	return !bpf_xdp_query_id((int)interface_index, 0, &program) && !program;
}

int xdplab_detach_programs(uint32_t interface_index)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, attached);
	int result = bpf_xdp_query((int)interface_index, 0, &attached);
	uint32_t number = 0;

	if (result || attached.attach_mode == XDP_ATTACHED_NONE)
		return result;
	while (!bpf_link_get_next_id(number, &number)) {
		const int link = bpf_link_get_fd_by_id(number);

		if (link < 0)
			continue; /* already gone */
		if (is_link_of(link, interface_index, &attached) && bpf_link_detach(link))
			result = -errno;
		close(link);
	}
	return result;
}

int xdplab_program_name(uint32_t id, char name[16])
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	const int program = bpf_prog_get_fd_by_id(id);
	int result;

	if (program < 0)
		return -errno;
	result = bpf_obj_get_info_by_fd(program, &info, &length) ? -errno : 0;
	close(program);
	memcpy(name, info.name, sizeof(info.name));
	return result;
}

int xdplab_pinned(const char *path)
{
	const int descriptor = bpf_obj_get(path);

	return descriptor < 0 ? -errno : descriptor;
}
