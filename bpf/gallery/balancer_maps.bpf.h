/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The balancer's maps and variables, which Python reads and writes.
 */
#ifndef XDPLAB_GALLERY_BALANCER_MAPS_H
#define XDPLAB_GALLERY_BALANCER_MAPS_H

#include "gallery/headers.bpf.h"

enum {
	MOST_SERVICES = 16,
	MOST_SERVERS = 512,
	MOST_CONNECTIONS4 = 1 << 16,
	MOST_CONNECTIONS6 = 1 << 15, /* with all other maps below the 16 MiB that the broker allows a program */
	TABLE_SIZE = 16381, /* a prime, as Maglev wants it */
};

/* What a service is found by. With neither protocol nor port: an address that some service has. */
struct virtual {
	__be32 address[4]; /* of IPv4 the first of them */
	__be16 port;
	__u8 protocol;
	__u8 version; /* 4 or 6 */
};

struct service {
	__u32 number;
	__u32 table; /* the number of the table in use */
};

struct server {
	__be32 address[4];
	__u32 generation; /* the entry's, which may be given to another server later; 0: there is none */
	__u8 version;
	bool gue;
	bool draining; /* it gets no new connections */
	__u8 service;
};

/* Seen from the client. It has its service's address, too: so a packet of a known connection, as most are, is found by
 * one lookup. */
struct connection4 {
	__be32 source, destination;
	__u32 ports; /* in one word, since a key is read by words: two stores that one load reads are waited for */
	__u32 protocol;
};

struct connection6 {
	__be32 source[4], destination[4];
	__u32 ports;
	__u32 protocol;
};

struct place {
	__u32 generation;
	__u16 server;
	bool begun; /* more than its first packet came */
	__u8 unused;
};

struct service_count {
	__u64 opened;     /* first packets of connections, which went by the table */
	__u64 continued;  /* packets of connections that were known */
	__u64 unknown;    /* packets of connections that were not, which went by the table */
	__u64 errors;     /* ICMP errors on a connection, which went to its server */
	__u64 too_long;   /* dropped: too long for the wire with what they are wrapped in */
	__u64 unserved;   /* dropped: no server */
	__u64 bytes;      /* IP packets sent to servers */
};

struct server_count {
	__u64 connections; /* opened */
	__u64 packets;
	__u64 bytes;
};

struct other_count {
	__u64 passed;    /* to the stack: to no service, or damaged */
	__u64 fragments; /* dropped: parts of packets to a service's address, as Katran drops them */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MOST_SERVICES);
	__type(key, struct virtual);
	__type(value, struct service);
} services SEC(".maps");

/* Of servers by number, one table after the other. There are two a service: one can be written while the other is used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MOST_SERVICES * TABLE_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MOST_SERVERS);
	__type(key, __u32);
	__type(value, struct server);
} servers SEC(".maps");

/* One for all cores: a connection's packets may come to any. Keys of IPv4 are hashed in less than half the time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOST_CONNECTIONS4);
	__type(key, struct connection4);
	__type(value, struct place);
} connections4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOST_CONNECTIONS6);
	__type(key, struct connection6);
	__type(value, struct place);
} connections6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MOST_SERVICES);
	__type(key, __u32);
	__type(value, struct service_count);
} service_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MOST_SERVERS);
	__type(key, __u32);
	__type(value, struct server_count);
} server_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct other_count);
} other_counts SEC(".maps");

__u8 gateway[ETH_ALEN] __attribute__((aligned(2))); /* its MAC address; 0: that of a packet's sender */
__be32 source4;         /* of the packets to servers */
__be32 source6[4];
__u16 mtu = ETH_DATA_LEN; /* bytes of the longest packet that the wire takes */
__u16 gue_port = 6080;    /* of the servers, for generic UDP encapsulation */

#endif
