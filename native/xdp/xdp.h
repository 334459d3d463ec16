/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture program on an interface, held by a bpf_link: when its descriptor goes, by whatever death of
 * the process, the kernel detaches the program.
 */
#ifndef XDPLAB_XDP_H
#define XDPLAB_XDP_H

#include <stdbool.h>

#include "include/engine.h"

struct bpf_object;
struct soft_program;
struct verdicts;
struct xdp;

/* What a program of the kernel's and a simulated one (soft_program.c) differ in once they are attached. */
struct xdp_operations {
	/* The program has no socket on the queue from now on. */
	void (*leave)(const struct xdp *xdp, uint32_t queue);
	/* The program counts no more after the first, and its counts can be read until the second. */
	void (*detach)(struct xdp *xdp);
	void (*close)(struct xdp *xdp);
	int (*verdicts)(const struct xdp *xdp, struct xdplab_verdicts *verdicts);

	/* Fills in where it is attached. Left out where nobody else can touch it. */
	void (*look)(const struct xdp *xdp, struct xdplab_hold *hold);
};

struct xdp {
	const struct xdp_operations *operations;
	struct bpf_object *object; /* NULL where someone else loaded it: then the maps' descriptors are its own */
	int link; /* or -1 once it is detached */
	int sockets;
	int verdicts;
	struct soft_program *simulated; /* of a simulated interface, which has nothing of the above */
};

struct xdp_options_of_port {
	const char *program; /* path of the compiled capture program */
	uint32_t interface_index;
	uint32_t attach_mode; /* enum xdplab_attach_mode */
	uint32_t workers;     /* that receive what it redirects */
	uint32_t queues;      /* one above the highest that can have a socket */
	uint32_t queue_count; /* that the interface has */
	bool multi_buffer;    /* packets may come in several buffers */
	bool metadata;        /* the program asks the device for some */
	uint32_t takes_all;   /* ARP and neighbour discovery too */
	uint32_t counts;      /* enum xdplab_counts */
	uint32_t address;     /* of a UDP socket, in network byte order */
	struct xdplab_wire *wire; /* of a simulated interface, which is an end of it; or NULL */
	uint32_t end;
};

/* Holds what someone else attached. */
int xdp_take(struct xdp *xdp, const struct xdplab_attachment *attachment, struct xdplab_error *error);
int xdp_attach(struct xdp *xdp, const struct xdp_options_of_port *options, struct xdplab_error *error);
/* Whether xdp_replace can: not what someone else attached, and not what is simulated. */
bool xdp_is_replaceable(const struct xdp *xdp);
/* Another program takes the place of an attached one, in the same mode: each packet meets the one or the other. What
 * was before has its counts until it is closed; its link is the new one's. */
int xdp_replace(struct xdp *xdp, const struct xdp_options_of_port *options, struct xdplab_error *error);
/* From now on, what arrives on the queue goes to the socket. */
int xdp_enter_socket(const struct xdp *xdp, uint32_t queue, int socket, struct xdplab_error *error);
/* Whether nobody has removed the socket since. */
bool xdp_has_socket(const struct xdp *xdp, uint32_t queue, int socket);
/* The verdicts by the map's descriptor, with room for each of the cores. */
int xdp_sum_verdicts(int map, struct verdicts *per_cpu, uint32_t cpus, struct xdplab_verdicts *verdicts);

#endif
