/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program on an interface, held by a bpf_link: when its descriptor goes, by whatever death of
 * the process, the kernel detaches the program.
 */
#ifndef XDPLAB_XDP_H
#define XDPLAB_XDP_H

#include <stdbool.h>

#include "include/attach.h"

struct bpf_object;
struct verdicts;
struct xdp;
struct xdplab_wire;

/* What is wanted of an interface's program. */
struct program_options {
	const struct xdp_kind *kind;
	struct xdplab_attach attach;
	uint32_t workers;         /* that receive what it redirects */
	uint32_t queue_count;     /* that the interface has */
	struct xdplab_wire *wire; /* of a simulated interface, which is an end of it; else NULL */
	uint32_t end;
};

/* How programs get onto interfaces of one kind: the kernel's (xdp.c), or simulated ones (soft/program.c). */
struct xdp_kind {
	int (*attach)(struct xdp *xdp, const struct program_options *options, struct xdplab_error *error);
	/* Whether a program that was attached as `now` says does what is `wanted`. */
	bool (*serves)(const struct program_options *now, const struct program_options *wanted);
};

/* What can be done with an attached program: this process', one that someone else attached, a simulated one. */
struct xdp_operations {
	/* The program has no socket on the queue from now on. */
	void (*leave)(const struct xdp *xdp, uint32_t queue);
	/* The program counts no more after the first, and its counts can be read until the second. */
	void (*detach)(struct xdp *xdp);
	void (*close)(struct xdp *xdp);
	int (*verdicts)(const struct xdp *xdp, struct xdplab_verdicts *verdicts);

	/* Fills in where it is attached. Left out where nobody else can touch it. */
	void (*look)(const struct xdp *xdp, struct xdplab_hold *hold);
	/* Another program takes its place, in the same mode: each packet meets the one or the other. What was before
	 * has its counts until it is closed; its link is the new one's. Left out where that is not this process' to do. */
	int (*replace)(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error);
};

struct xdp {
	const struct xdp_operations *operations;
	/* Of a program of the kernel's. */
	struct bpf_object *object; /* NULL where someone else loaded it: then the maps' descriptors are its own */
	int link; /* or -1 once it is detached */
	int sockets;
	int verdicts;
	/* Of any other. */
	void *other;
};

extern const struct xdp_kind xdp_kernel;

/* Onto an interface of the kernel's. */
int xdp_attach(struct xdp *xdp, const struct xdplab_attach *options, struct xdplab_error *error);
/* Holds what someone else attached. */
int xdp_take(struct xdp *xdp, const struct xdplab_attachment *attachment, struct xdplab_error *error);
/* From now on, what arrives on the queue goes to the socket. */
int xdp_enter_socket(const struct xdp *xdp, uint32_t queue, int socket, struct xdplab_error *error);
/* Whether nobody has removed the socket since. */
bool xdp_has_socket(const struct xdp *xdp, uint32_t queue, int socket);
/* The verdicts by the map's descriptor, with room for each of the cores. */
int xdp_sum_verdicts(int map, struct verdicts *per_cpu, uint32_t cpus, struct xdplab_verdicts *verdicts);

#endif
