/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/membarrier.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "include/attach.h"

/* Twice the number that libbpf 1.1 has open at once for the largest of our objects. */
enum { DESCRIPTORS = 16 };

int program_check_descriptors(const char *tried, struct xdplab_error *error)
{
	int taken[DESCRIPTORS], count = 0, code = 0;

	while (count < DESCRIPTORS && (taken[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	if (count < DESCRIPTORS)
		code = errno;
	while (count)
		close(taken[--count]);
	return code ? fail(error, XDPLAB_STEP_LOAD_PROGRAM, code, "%s", tried) : 0;
}

struct bpf_object *program_open(const char *path, struct xdplab_error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = error->detail,
		    .kernel_log_size = sizeof(error->detail));
	struct bpf_object *object;

	if (program_check_descriptors("have the descriptors that a BPF object takes", error))
		return NULL;
	/* libbpf would also write our errors to standard error. */
	libbpf_set_print(NULL);
	object = bpf_object__open_file(path, &options);
	if (!object)
		fail(error, XDPLAB_STEP_LOAD_PROGRAM, errno, "open the BPF object %s", path);
	return object;
}

int program_load(struct bpf_object *object, const char *path, struct xdplab_error *error)
{
	if (bpf_object__load(object))
		return fail(error, XDPLAB_STEP_LOAD_PROGRAM, errno, "load the BPF object %s", path);
	return 0;
}

int program_descriptor(const struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

int program_refuse_link(uint32_t attach_mode, struct xdplab_error *error)
{
	return fail(error, XDPLAB_STEP_ATTACH_PROGRAM, errno, "attach the XDP program in %s mode",
		    attach_mode == XDPLAB_ATTACH_SKB ? "SKB" : "native");
}

int program_link(int program, uint32_t interface_index, uint32_t attach_mode, struct xdplab_error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = attach_mode == XDPLAB_ATTACH_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	const int link = bpf_link_create(program, (int)interface_index, BPF_XDP, &options);

	return link < 0 ? program_refuse_link(attach_mode, error) : link;
}

/* A program's run and the delivery of redirected packets are in one softirq, which is an RCU read section; and this
 * command waits for all readers (membarrier(2): synchronize_rcu). A kernel with nohz_full cores refuses it. */
void programs_wait(void)
{
	enum { LONGER_THAN_A_SOFTIRQ_NS = 100 * 1000 * 1000 };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&(struct timespec){ .tv_nsec = LONGER_THAN_A_SOFTIRQ_NS }, NULL);
}
