/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The capture, with the device's metadata in front of each frame: receive hash, timestamp and VLAN tag, from kernel
 * functions that drivers implement (Documentation/networking/xdp-rx-metadata.rst, Linux 6.18). A program that calls them is
 * bound to one device when it is loaded, and runs in the driver only; so it is an object of its own, and the plain
 * capture loads everywhere.
 */
#define CAPTURE_METADATA
struct xdp_md;
static void add_metadata(struct xdp_md *context);

#include "capture.bpf.c"

#include <bpf/bpf_endian.h>

/* Types of the kernel; libbpf compares the functions' names and the kinds of their types. */
enum xdp_rss_hash_type { XDP_RSS_TYPE_NONE };
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *context, __u32 *hash,
				    enum xdp_rss_hash_type *hash_type) __ksym;
extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *context, __u64 *timestamp) __ksym;
/* Linux 6.8. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *context, __be16 *protocol, __u16 *tag) __ksym __weak;

static void add_metadata(struct xdp_md *context)
{
	struct frame_metadata *metadata;
	enum xdp_rss_hash_type hash_type = XDP_RSS_TYPE_NONE;
	__u64 time_ns = 0;
	__u32 hash = 0, flags = 0;
	__be16 vlan_protocol = 0;
	__u16 vlan_tag = 0;

	if (!bpf_xdp_metadata_rx_hash(context, &hash, &hash_type))
		flags |= METADATA_HASH;
	/* veth returns success with a time of 0, which nothing sets. */
	if (!bpf_xdp_metadata_rx_timestamp(context, &time_ns) && time_ns) {
		flags |= METADATA_DEVICE_TIME;
	} else {
		time_ns = bpf_ktime_get_ns();
		flags |= METADATA_PROGRAM_TIME;
	}
	if (bpf_xdp_metadata_rx_vlan_tag &&
	    !bpf_xdp_metadata_rx_vlan_tag(context, &vlan_protocol, &vlan_tag))
		flags |= METADATA_VLAN;
	if (bpf_xdp_adjust_meta(context, -(int)sizeof(*metadata)))
		return;
	metadata = (void *)(long)context->data_meta;
	if ((const void *)(metadata + 1) > (const void *)(long)context->data)
		return;
	*metadata = (struct frame_metadata){
		.time_ns = time_ns,
		.hash = hash,
		.hash_type = hash_type,
		.flags = flags,
		.magic = METADATA_MAGIC,
		.vlan_protocol = bpf_ntohs(vlan_protocol),
		.vlan_tag = vlan_tag,
	};
}
