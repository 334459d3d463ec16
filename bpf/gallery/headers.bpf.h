/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Finds the headers of a packet.
 *
 * In most packets they all lie at known places. Only there they are read in place, which is quick: a loader without
 * CAP_PERFMON may add no variable to a packet's pointer, so all other packets are read by bpf_xdp_load_bytes (Linux
 * 5.18), which may be asked for any offset, and reads a packet of several buffers, too.
 */
#ifndef XDPLAB_GALLERY_HEADERS_H
#define XDPLAB_GALLERY_HEADERS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What has more of either is not followed further. */
enum { MOST_TAGS = 4, MOST_EXTENSIONS = 8 };

struct tag {
	__be16 number;
	__be16 type;
};

/* A fragment's header, and the beginning of all other extension headers. */
struct extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 number;
};

struct ports {
	__be16 source;
	__be16 destination;
};

/* Keys of tries of networks. */
struct network {
	__u32 prefix; /* bits */
	__u8 address[16];
};

struct network4 {
	__u32 prefix;
	__u8 address[4];
};

struct headers {
	__be16 type;            /* the EtherType behind all VLAN tags; 0: cut off, or too many tags */
	__u8 protocol;          /* behind all extension headers; 0: cut off, or none */
	bool is_fragment;       /* a part of a packet: the first, or a later one */
	bool is_later_fragment; /* it has no transport header */
	bool has_ports;         /* a whole header of TCP or UDP */
	__u32 network;   /* offset of the IP header; 0: there is none */
	__u32 transport; /* offset of what follows it; 0: cut off */
	union {
		struct {
			__be32 source, destination;
		} ipv4;
		struct {
			struct in6_addr source, destination;
		} ipv6;
	};
	struct ports ports;
};

static __always_inline bool is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* Bytes of a header with ports; 0: it has none. */
static __always_inline __u32 with_ports(__u8 protocol)
{
	return protocol == IPPROTO_UDP ? 8 : protocol == IPPROTO_TCP ? 20 : 0;
}

/* Ethernet without tags, IPv4 without options and fragments, TCP or UDP. */
static __always_inline bool find_usual(struct xdp_md *context, struct headers *headers)
{
	const void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	const struct ethhdr *ethernet = data;
	const struct iphdr *ip = (const void *)(ethernet + 1);
	const struct ports *ports = (const void *)(ip + 1);

	if ((const void *)(ports + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 ||
	    ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return false;
	if (ip->protocol == IPPROTO_UDP ? (const void *)ports + 8 > end :
					  ip->protocol != IPPROTO_TCP || (const void *)ports + 20 > end)
		return false;
	if (bpf_ntohs(ip->tot_len) < sizeof(*ip) + with_ports(ip->protocol))
		return false;
	headers->type = ethernet->h_proto;
	headers->protocol = ip->protocol;
	headers->network = sizeof(*ethernet);
	headers->transport = sizeof(*ethernet) + sizeof(*ip);
	headers->ipv4.source = ip->saddr;
	headers->ipv4.destination = ip->daddr;
	headers->ports = *ports;
	headers->has_ports = true;
	return true;
}

static __always_inline bool read(struct xdp_md *context, __u32 offset, void *to, __u32 size)
{
	return !bpf_xdp_load_bytes(context, offset, to, size);
}

static __always_inline bool write(struct xdp_md *context, __u32 offset, void *from, __u32 size)
{
	return !bpf_xdp_store_bytes(context, offset, from, size);
}

/* Where the IP packet ends, which may be before the frame does. */
static __always_inline __u32 end_of(struct xdp_md *context, __u32 at, __u32 length)
{
	const __u32 frame = bpf_xdp_get_buff_len(context);

	return at + length < frame ? at + length : frame;
}

/* Returns where the packet ends; 0: it has no such header. */
static __always_inline __u32 find_ipv4(struct xdp_md *context, struct headers *headers, __u32 at)
{
	struct iphdr ip;

	if (!read(context, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return 0;
	headers->network = at;
	headers->protocol = ip.protocol;
	headers->ipv4.source = ip.saddr;
	headers->ipv4.destination = ip.daddr;
	headers->is_fragment = ip.frag_off & bpf_htons(0x3fff);
	headers->is_later_fragment = ip.frag_off & bpf_htons(0x1fff);
	if (bpf_ntohs(ip.tot_len) >= ip.ihl * 4)
		headers->transport = at + ip.ihl * 4;
	return end_of(context, at, bpf_ntohs(ip.tot_len));
}

static __always_inline bool is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

static __always_inline __u32 bytes_of(__u8 protocol, __u8 length)
{
	if (protocol == IPPROTO_FRAGMENT)
		return sizeof(struct extension);
	return protocol == IPPROTO_AH ? (length + 2u) * 4 : (length + 1u) * 8;
}

static __always_inline __u32 find_ipv6(struct xdp_md *context, struct headers *headers, __u32 at)
{
	struct extension extension;
	struct ipv6hdr ip;
	__u32 transport = at + sizeof(ip), end;
	__be16 fragment = 0;

	if (!read(context, at, &ip, sizeof(ip)) || ip.version != 6)
		return 0;
	headers->network = at;
	headers->protocol = ip.nexthdr;
	headers->ipv6.source = ip.saddr;
	headers->ipv6.destination = ip.daddr;
	end = end_of(context, transport, bpf_ntohs(ip.payload_len));
	for (int i = 0; i < MOST_EXTENSIONS; i++) {
		if (fragment & bpf_htons(0xfff8) || !is_extension(headers->protocol))
			break;
		if (transport + sizeof(extension) > end || !read(context, transport, &extension, sizeof(extension)))
			break;
		if (transport + bytes_of(headers->protocol, extension.length) > end)
			break;
		if (headers->protocol == IPPROTO_FRAGMENT)
			fragment |= extension.fragment;
		transport += bytes_of(headers->protocol, extension.length);
		headers->protocol = extension.next;
	}
	/* Not within the loop, of which the verifier would follow twice as many ways. */
	headers->is_fragment = fragment & bpf_htons(0xfff9);
	headers->is_later_fragment = fragment & bpf_htons(0xfff8);
	if (headers->is_later_fragment || !is_extension(headers->protocol))
		headers->transport = transport;
	else
		headers->protocol = 0;
	return end;
}

/* Fills in what the packet has; all else is 0. */
static __always_inline void find_headers(struct xdp_md *context, struct headers *headers)
{
	struct ethhdr ethernet;
	struct tag tag;
	__u32 at = sizeof(ethernet), end = 0;

	/* All of it: without CAP_PERFMON a program may not read what could be unset. */
	*headers = (struct headers){ 0 };
	if (find_usual(context, headers) || !read(context, 0, &ethernet, sizeof(ethernet)))
		return;
	headers->type = ethernet.h_proto;
	for (int i = 0; i < MOST_TAGS && is_tag(headers->type); i++) {
		if (!read(context, at, &tag, sizeof(tag))) {
			headers->type = 0;
			return;
		}
		headers->type = tag.type;
		at += sizeof(tag);
	}
	if (is_tag(headers->type))
		headers->type = 0;
	else if (headers->type == bpf_htons(ETH_P_IP))
		end = find_ipv4(context, headers, at);
	else if (headers->type == bpf_htons(ETH_P_IPV6))
		end = find_ipv6(context, headers, at);
	headers->has_ports = headers->transport && !headers->is_later_fragment && with_ports(headers->protocol) &&
			     headers->transport + with_ports(headers->protocol) <= end &&
			     read(context, headers->transport, &headers->ports, sizeof(headers->ports));
}

#endif
