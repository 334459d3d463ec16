/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Redirects the packets of a queue to that queue's AF_XDP socket.
 *
 * Housekeeping (base/housekeeping.h) stays with the stack; everything else is captured. An engine that joins two
 * interfaces takes housekeeping too, since it is meant for the host on the other side.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "base/housekeeping.h"
#include "verdicts.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* as many as the engine has queues, set before loading */
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

#ifndef CAPTURE_METADATA
static void add_metadata(struct xdp_md *context)
{
	(void)context;
}
#endif

SEC("xdp")
int capture(struct xdp_md *context)
{
	__u32 key = 0;
	struct verdicts *counts = bpf_map_lookup_elem(&verdicts, &key);
	const void *frame = (const void *)(long)context->data, *end = (const void *)(long)context->data_end;
	long verdict;

	if (!counts)
		return XDP_ABORTED;
	if (!constants.takes_all && belongs_to_stack(frame, end)) {
		counts->passed++;
		return XDP_PASS;
	}
	add_metadata(context);
	verdict = bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
	/* Two branches instead of one counter at a variable offset, which a loader without CAP_PERFMON may not use. */
	if (verdict == XDP_REDIRECT) {
		barrier_var(counts);
		counts->redirected++;
	} else {
		counts->no_socket++;
	}
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
