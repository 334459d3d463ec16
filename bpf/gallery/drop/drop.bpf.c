/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Drops every packet: the fastest that an XDP program can be, beside which the others are measured.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int drop(struct xdp_md *context)
{
	(void)context;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
