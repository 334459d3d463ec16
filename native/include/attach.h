/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own XDP programs, attached by a bpf_link: their counters and whether they are still attached. Also those attached
 * without an engine, whose links and maps the broker passes to its client (xdp/attach.c).
 */
#ifndef XDPLAB_INCLUDE_ATTACH_H
#define XDPLAB_INCLUDE_ATTACH_H

#include <stdint.h>

#include "include/error.h"

enum xdplab_attach_mode { XDPLAB_ATTACH_NATIVE, XDPLAB_ATTACH_SKB };

/* Entries of an XSKMAP: queues that can have a socket. An engine on a higher queue gets a larger map. */
enum { XDPLAB_MAP_QUEUES = 256 };

/* Which packets the XDP program of a receive path counts as the path's own. */
enum xdplab_counts {
	XDPLAB_COUNTS_REDIRECTED, /* to the engine's AF_XDP socket */
	XDPLAB_COUNTS_DATAGRAMS,  /* for the engine's UDP socket; it goes to the stack like all else */
	XDPLAB_COUNTS_ALL,        /* every packet, as an AF_PACKET socket sees it; all go to the stack as well */
	XDPLAB_COUNTS_DROPPED,    /* dropped by the program itself */
};

/* Verdicts of the XDP program in frames, summed over the cores. */
struct xdplab_verdicts {
	uint64_t redirected; /* to the engine's AF_XDP socket; on another path, the packets that are for that path */
	uint64_t passed;     /* ARP, neighbour discovery and the like, left to the stack */
	uint64_t unmatched;  /* not for the engine by its match, left to the stack */
	uint64_t no_socket;  /* arrived on a queue without an engine, left to the stack */
	uint64_t reconfiguring; /* arrived while the engine had no sockets, left to the stack */
	uint64_t bytes;      /* in the redirected frames; counted only on paths other than AF_XDP */
};

/* Whether a port's XDP program is still attached: others may detach it, and its interface may move or disappear. */
struct xdplab_hold {
	uint32_t interface_index; /* of the interface it is attached to, in its present namespace; 0: not attached */
	uint32_t program;         /* id of the program on that interface; 0: none, or unknown */
	uint32_t loaded;          /* id of the engine's own program */
	int32_t unserved;         /* a queue whose socket is not in the XSKMAP any more, or -1 */
	uint32_t taken_off;       /* 1: the port's last worker detached it when it ended; the first two fields
				   * are from just before */
};

struct xdplab_attachment {
	int32_t link;
	int32_t sockets; /* the XSKMAP; negative where the program has none */
	int32_t verdicts;
};

/* Which packets the XDP program is for; all others are left to the stack. Classic BPF, 8 bytes an instruction (struct
 * sock_filter); none: all packets. */
enum { XDPLAB_MATCH_LONGEST = 1600 }; /* instructions; libpcap makes some ten for an ordinary filter */
struct xdplab_match {
	const uint8_t *instructions;
	uint32_t count;
	uint32_t version; /* grows when the engine gets another one */
};

/* One of our own programs on an interface. */
struct xdplab_attach {
	const char *program; /* path of the compiled program */
	uint32_t interface_index;
	uint32_t attach_mode; /* enum xdplab_attach_mode */
	uint32_t queues;
	uint32_t multi_buffer;
	uint32_t metadata;
	uint32_t takes_all;
	uint32_t counts;  /* enum xdplab_counts */
	uint32_t address; /* of a UDP socket, in network byte order */
	struct xdplab_match match;
};

/* The caller closes the descriptors. Only the link holds a reference to the program. */
int xdplab_attach(const struct xdplab_attach *options, struct xdplab_attachment *attachment,
		  struct xdplab_error *error);

/* Detaches all XDP programs from an interface of this network namespace, even if others hold the links. 0 or a
 * negative errno. Needs CAP_SYS_ADMIN. */
int xdplab_detach_programs(uint32_t interface_index);

/* Reads the name of the BPF program with this id, of up to 15 characters. 0 or a negative errno. Needs
 * CAP_SYS_ADMIN. */
int xdplab_program_name(uint32_t id, char name[16]);

/* Opens a pinned BPF object, by the path of its file in a BPF filesystem. Returns a descriptor or a negative errno. */
int xdplab_pinned(const char *path);

#endif
