/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Passes every packet to the stack: the least that an XDP program can be.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int pass(struct xdp_md *context)
{
	(void)context;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
