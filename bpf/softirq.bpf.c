/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Time that each core spends in the network softirqs. The kernel's own figure (/proc/stat) is sampled at
 * each tick unless it was built with CONFIG_IRQ_TIME_ACCOUNTING; this one is measured.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "include/program_maps.h"

enum { NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 }; /* linux/interrupt.h */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct softirq_time);
} softirq_times SEC(".maps");

static struct softirq_time *time_of(const struct bpf_raw_tracepoint_args *context)
{
	__u32 key = 0;

	if (context->args[0] != NET_RX_SOFTIRQ && context->args[0] != NET_TX_SOFTIRQ)
		return 0;
	return bpf_map_lookup_elem(&softirq_times, &key);
}

SEC("raw_tp/softirq_entry")
int softirq_entry(struct bpf_raw_tracepoint_args *context)
{
	struct softirq_time *time = time_of(context);

	if (time)
		time->entered_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/softirq_exit")
int softirq_exit(struct bpf_raw_tracepoint_args *context)
{
	struct softirq_time *time = time_of(context);

	if (time && time->entered_ns) {
		time->total_ns += bpf_ktime_get_ns() - time->entered_ns;
		time->entered_ns = 0;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
