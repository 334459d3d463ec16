/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The constants and the counters of a receive path's XDP program (native/include/program_maps.h).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "include/program_maps.h"

const volatile struct capture_constants constants;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdicts);
} verdicts SEC(".maps");
