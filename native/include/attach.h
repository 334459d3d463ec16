/* SPDX-License-Identifier: Apache-2.0
 *
 * XDP programs, attached by a bpf_link: what they count, what became of them; and those that are attached apart from an
 * engine, whose links and maps the broker passes on (xdp/attach.c, xdp/load.c).
 */
#ifndef XDPLAB_INCLUDE_ATTACH_H
#define XDPLAB_INCLUDE_ATTACH_H

#include <stdint.h>

#include "include/error.h"

enum xdplab_attach_mode { XDPLAB_ATTACH_NATIVE, XDPLAB_ATTACH_SKB };

/* Queues that an XDP program can have a socket on; more where an engine asks for a higher one. */
enum { XDPLAB_MAP_QUEUES = 256 };

/* What the XDP program of a receive path counts as being for it. */
enum xdplab_counts {
	XDPLAB_COUNTS_REDIRECTED, /* to the engine's AF_XDP socket */
	XDPLAB_COUNTS_DATAGRAMS,  /* for the engine's UDP socket; it goes to the stack like all else */
	XDPLAB_COUNTS_ALL,        /* what an AF_PACKET socket sees: everything, which goes to the stack as well */
	XDPLAB_COUNTS_DROPPED,    /* by the program itself */
};

/* What became of frames in the XDP program, summed over the cores. */
struct xdplab_verdicts {
	uint64_t redirected; /* to the engine's socket, or for another path, whatever is for that */
	uint64_t passed;     /* ARP, neighbour discovery and the like, left to the stack */
	uint64_t no_socket;  /* arrived on a queue without an engine, left to the stack */
	uint64_t reconfiguring; /* arrived while the engine had no sockets, left to the stack */
	uint64_t bytes;      /* of those redirected, on other paths than AF_XDP */
};

/* What became of a port's XDP program, which others may take off and whose interface may move or go. */
struct xdplab_hold {
	uint32_t interface_index; /* that it is attached to, in whichever namespace that is now; 0: to none */
	uint32_t program;         /* id of the program there; 0: none, or not told */
	uint32_t loaded;          /* id of the engine's own */
	int32_t unserved;         /* a queue whose socket is not in the XSKMAP any more, or -1 */
	uint32_t taken_off;       /* by the port's last worker, when it ended; the first two are from just before */
};

struct xdplab_attachment {
	int32_t link;
	int32_t sockets; /* the XSKMAP; negative where the program has none */
	int32_t verdicts;
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
};

/* The descriptors are the caller's to close, and hold no reference to the program but the link's. */
int xdplab_attach(const struct xdplab_attach *options, struct xdplab_attachment *attachment,
		  struct xdplab_error *error);

/* A client's own program, of which someone without any power made this description. */
struct xdplab_map {
	const char *name;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t entries;
	uint32_t flags;
	const uint8_t *initial; /* of the one entry of an array, or NULL */
	uint32_t frozen;        /* nobody may change it any more */
};
struct xdplab_program {
	const char *name;
	const char *license;
	const uint64_t *instructions; /* which refer to maps by their index among the descriptors */
	uint32_t instruction_count;
	uint32_t flags;
};

/* A descriptor, or a negative errno. */
int xdplab_map_create(const struct xdplab_map *map, struct xdplab_error *error);
/* Attached by the link whose descriptor is returned. */
int xdplab_program_attach(const struct xdplab_program *program, const int32_t *maps, uint32_t interface_index,
			  uint32_t attach_mode, struct xdplab_error *error);

/* Detaches all XDP programs from an interface of this network namespace, whoever holds their links. 0 or a negative
 * errno. Needs CAP_SYS_ADMIN. */
int xdplab_detach_programs(uint32_t interface_index);

/* Whether the map (or else the program) with an id is there. Needs CAP_SYS_ADMIN. */
int xdplab_bpf_exists(uint32_t is_map, uint32_t id);

/* Descriptor of the BPF object that a file of a BPF filesystem stands for, or a negative errno. */
int xdplab_pinned(const char *path);

#endif
