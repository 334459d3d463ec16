/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "base/error.h"
#include "include/program_run.h"

int xdplab_program_run(int32_t program, struct xdplab_program_run *run, struct xdplab_error *error)
{
	struct xdp_md context = {
		.data_end = run->frame_bytes,
		.ingress_ifindex = run->interface_index,
		.rx_queue_index = run->queue,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->frame, .data_size_in = run->frame_bytes,
		    .data_out = run->output, .data_size_out = run->output_bytes, .repeat = (int)run->repeat);

	if (run->interface_index) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	if (bpf_prog_test_run_opts(program, &options))
		return fail(error, XDPLAB_STEP_RUN_PROGRAM, errno, "run the XDP program on a frame of %u bytes",
			    run->frame_bytes);
	run->output_bytes = options.data_size_out;
	run->verdict = options.retval;
	run->duration_ns = options.duration;
	return 0;
}

int xdplab_statistics_enable(void)
{
	const int descriptor = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return descriptor < 0 ? -errno : descriptor;
}

int xdplab_program_runs(int32_t program, struct xdplab_program_runs *runs)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &length))
		return -errno;
	*runs = (struct xdplab_program_runs){ .runs = info.run_cnt, .total_ns = info.run_time_ns };
	return 0;
}
