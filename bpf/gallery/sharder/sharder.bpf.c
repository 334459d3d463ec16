/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Sends each UDP request to the socket of the worker that owns the request's key, and passes all else to the stack.
 *
 * The key is a part of the payload. Its hash chooses among the sockets of the queue on which the packet came, since
 * the kernel redirects to no others: with several queues each worker has a socket on each.
 */
#include <linux/bpf.h>
#include <linux/udp.h>

#include "gallery/headers.bpf.h"

enum { MOST_WORDS = 8, MOST_SOCKETS = 1024 };

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MOST_SOCKETS);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

const volatile __u16 port = 7400;   /* of the service */
const volatile __u32 shards = 4;    /* workers, and sockets on each queue */
const volatile __u32 key_at = 0;    /* bytes of the payload before the key */
const volatile __u32 key_bytes = 4; /* 1 to 32 */

/* MurmurHash3, by whole words: a key is longer by zeros if need be. */
static __always_inline __u32 hash_of(const __u32 *words, __u32 bytes)
{
	__u32 hash = 0;

	/* Unrolled: without CAP_PERFMON the stack is read at known places alone. */
#pragma unroll
	for (__u32 i = 0; i < MOST_WORDS; i++) {
		const __u32 word = words[i] * 0xcc9e2d51;

		if (i * sizeof(*words) >= bytes)
			break;
		hash ^= (word << 15 | word >> 17) * 0x1b873593;
		hash = (hash << 13 | hash >> 19) * 5 + 0xe6546b64;
	}
	hash ^= bytes;
	hash = (hash ^ hash >> 16) * 0x85ebca6b;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35;
	return hash ^ hash >> 16;
}

/* Equal shares of all hashes: by a multiplication, which is quicker than a division. */
static __always_inline __u32 shard_of(__u32 hash)
{
	return (__u64)hash * shards >> 32;
}

/* Bytes of the datagram, by its own header; 0: cut off. In the usual place it is read as find_usual reads. */
static __always_inline __u32 length_of(struct xdp_md *context, __u32 at)
{
	const void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	const __u32 usual = sizeof(struct ethhdr) + sizeof(struct iphdr);
	const struct udphdr *there = data + usual;
	struct udphdr udp;

	if (at == usual && (const void *)(there + 1) <= end)
		return bpf_ntohs(there->len);
	return read(context, at, &udp, sizeof(udp)) ? bpf_ntohs(udp.len) : 0;
}

SEC("xdp.frags")
int sharder(struct xdp_md *context)
{
	__u32 key[MOST_WORDS] = { 0 }, bytes = key_bytes;
	struct headers headers;

	find_headers(context, &headers);
	if (!headers.has_ports || headers.protocol != IPPROTO_UDP || headers.ports.destination != bpf_htons(port))
		return XDP_PASS;
	if (!shards || !bytes || bytes > sizeof(key) ||
	    length_of(context, headers.transport) < sizeof(struct udphdr) + key_at + bytes ||
	    !read(context, headers.transport + sizeof(struct udphdr) + key_at, key, bytes))
		return XDP_PASS;
	return bpf_redirect_map(&sockets, context->rx_queue_index * shards + shard_of(hash_of(key, bytes)), XDP_PASS);
}

char LICENSE[] SEC("license") = "GPL";
