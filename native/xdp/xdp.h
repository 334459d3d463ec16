/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program on an interface, attached by a bpf_link: when its descriptor is closed, also by any end of the
 * process, the kernel detaches the program.
 */
#ifndef XDPLAB_XDP_H
#define XDPLAB_XDP_H

#include <stdbool.h>

#include "include/attach.h"

struct bpf_object;
struct verdicts;
struct xdp;
struct xdplab_wire;

/* Options of an interface's program. */
struct program_options {
	const struct xdp_kind *kind;
	struct xdplab_attach attach;
	uint32_t workers;         /* number of workers that receive its packets */
	uint32_t queue_count;     /* of the interface */
	struct xdplab_wire *wire; /* of a simulated interface; else NULL */
	uint32_t end;
};

/* Attaches programs to interfaces of one kind: the kernel's (xdp.c), or simulated ones (soft/program.c). */
struct xdp_kind {
	int (*attach)(struct xdp *xdp, const struct program_options *options, struct xdplab_error *error);
	/* Whether a program attached with the options `now` also serves the options `wanted`. */
	bool (*serves)(const struct program_options *now, const struct program_options *wanted);
};

/* Operations on an attached program: one of this process, one that another process attached, or a simulated one. */
struct xdp_operations {
	/* The program has no socket on the queue from now on. */
	void (*leave)(const struct xdp *xdp, uint32_t queue);
	/* The program stops counting with the first; its counts can be read until the second. */
	void (*detach)(struct xdp *xdp);
	void (*close)(struct xdp *xdp);
	int (*verdicts)(const struct xdp *xdp, struct xdplab_verdicts *verdicts);

	/* Fills in where it is attached. Optional: missing if no other process can detach it. */
	void (*look)(const struct xdp *xdp, struct xdplab_hold *hold);
	/* Replaces it by another program in the same mode: each packet gets one of them. The old one keeps its counts
	 * until it is closed; the new one takes its link. Optional: missing if this process can't do that. */
	int (*replace)(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error);
};

struct xdp {
	const struct xdp_operations *operations;
	/* For a kernel program. */
	int matching; /* the program with a match in front of it, which then is the attached one; or -1 */
	struct bpf_object *object; /* NULL if another process or the user loaded it: then it owns its descriptors */
	int link; /* or -1 once it is detached */
	int sockets;
	int verdicts;
	/* For any other program. */
	void *other;
};

extern const struct xdp_kind xdp_kernel;
extern const struct xdp_kind xdp_users; /* attaches nothing: the program is the user's */

/* Attaches a program to a kernel interface. */
int xdp_attach(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error);
/* Whether there is no XDP program on the interface, in any mode; false as well if the kernel does not say. */
bool xdp_is_absent(uint32_t interface_index);
/* Takes a program that another process attached. */
int xdp_take(struct xdp *xdp, const struct xdplab_attachment *attachment, struct xdplab_error *error);
/* Takes the XSKMAP of a program of the user's. */
int xdp_take_users(struct xdp *xdp, int sockets, struct xdplab_error *error);
/* Packets of the queue go to the socket from now on. */
int xdp_enter_socket(const struct xdp *xdp, uint32_t queue, int socket, struct xdplab_error *error);
/* Whether the socket is still in the map. */
bool xdp_has_socket(const struct xdp *xdp, uint32_t queue, int socket);
/* Sums up the verdicts of the map with this descriptor; `per_cpu` must have room for each core. */
int xdp_sum_verdicts(int map, struct verdicts *per_cpu, uint32_t cpus, struct xdplab_verdicts *verdicts);

#endif
