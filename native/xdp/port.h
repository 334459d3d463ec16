/* SPDX-License-Identifier: Apache-2.0
 *
 * The XDP program of one of an engine's interfaces, over the engine's reconfigurations.
 *
 * The program stays attached while the sockets behind it are closed and others opened: it is paused, with no socket on
 * any queue, and passes to the stack what it would have redirected. So each packet is counted by the program, as one
 * that came while the engine was reconfigured. A program that must be another one is replaced on the same link, which
 * loses nothing either. Only from native to SKB mode and back the kernel allows no such thing: then the interface is
 * without a program for a moment.
 *
 * Someone else may take the program off, and the interface may be moved to another network namespace or removed. The
 * kernel takes an AF_XDP socket off an interface that moves, and leaves the program attached, which then has nowhere
 * to lead packets to: the last worker of the port takes it off, so that the interface is not deaf where it is now.
 */
#ifndef XDPLAB_PORT_H
#define XDPLAB_PORT_H

#include <pthread.h>
#include <stdbool.h>

#include "xdp/xdp.h"

struct port {
	struct xdp xdp;
	bool open;                         /* its program is attached, */
	struct program_options options; /* as these say */
	bool paused;
	uint64_t paused_at;          /* packets without a socket when it was paused */
	struct xdplab_verdicts base; /* of programs that were attached before */
	uint32_t detachments;        /* times that it was left without a program */
	uint32_t ended;              /* workers that ended by themselves */
	struct xdplab_hold hold;     /* the id of its own program; the rest once all workers ended */
	pthread_mutex_t lock;        /* of the link, between a worker that ends and whoever looks at it */
};

void port_init(struct port *port);
void port_destroy(struct port *port);

/* Attaches the program, or keeps the one there is, or replaces it. It is paused then. */
int port_attach(struct port *port, const struct program_options *options, struct xdplab_error *error);
/* Likewise where someone else attaches it: says whether there is one to keep. One that can't be kept is detached. */
bool port_keeps(struct port *port, const struct program_options *options);
/* Holds what someone else attached. */
int port_take(struct port *port, const struct program_options *options, const struct xdplab_attachment *attachment,
	      struct xdplab_error *error);
/* The program has no socket on any of these queues from now on. What it redirected before may still be on the way
 * there until programs_wait returns. */
void port_pause(struct port *port);
void port_leave(const struct port *port, uint32_t queue);
/* The sockets were entered, and programs_wait has returned. */
void port_resume(struct port *port);
/* Its counts are kept. */
void port_detach(struct port *port);
/* They are not. */
void port_close(struct port *port);
/* On the thread of a worker that ends by itself: packets of its queue go to the stack from now on. */
void port_worker_ended(struct port *port, uint32_t queue);
/* 0, or -ENOENT where no program is attached, or none that anybody else could touch. */
int port_look(struct port *port, struct xdplab_hold *hold);
int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts);

#endif
