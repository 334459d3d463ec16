/* SPDX-License-Identifier: Apache-2.0
 *
 * The XDP program of one of an engine's interfaces, kept across the engine's reconfigurations.
 *
 * The program stays attached while its sockets are closed and others opened: it is paused, with no socket on any queue,
 * and passes to the stack the packets that it would have redirected. It counts each of them as arrived during a
 * reconfiguration. If another program is needed, it replaces the old one on the same link, without losing packets. Only
 * between native and SKB mode the kernel does not allow that: then the interface is without a program for a moment.
 *
 * Others may detach the program, and the interface may be moved to another network namespace or removed. When an
 * interface moves, the kernel unbinds its AF_XDP sockets but leaves the program attached, whose redirects then lead
 * nowhere: the port's last worker detaches it, so that the interface can receive in its new namespace.
 */
#ifndef XDPLAB_PORT_H
#define XDPLAB_PORT_H

#include <pthread.h>
#include <stdbool.h>

#include "xdp/xdp.h"

struct port {
	struct xdp xdp;
	bool open;                         /* its program is attached */
	struct program_options options; /* of that program */
	bool paused;
	uint64_t paused_at;          /* count of packets without a socket when it was paused */
	struct xdplab_verdicts base; /* counts of programs that were attached before */
	uint32_t detachments;        /* times that the interface was without a program for a moment */
	uint32_t ended;              /* workers that ended by themselves */
	struct xdplab_hold hold;     /* the id of its own program; other fields once all workers ended */
	pthread_mutex_t lock;        /* protects the link between a worker that ends and port_look */
};

void port_init(struct port *port);
void port_destroy(struct port *port);

/* Attaches the program, or keeps or replaces the present one. It is paused afterwards. */
int port_attach(struct port *port, const struct program_options *options, struct xdplab_error *error);
/* Likewise if another process attaches it: returns whether the present one is kept. If not, it is detached. */
bool port_keeps(struct port *port, const struct program_options *options);
/* Takes a program that another process attached. */
int port_take(struct port *port, const struct program_options *options, const struct xdplab_attachment *attachment,
	      struct xdplab_error *error);
/* Takes the XSKMAP of a program of the user's. */
int port_take_users(struct port *port, const struct program_options *options, int sockets, struct xdplab_error *error);
/* From now on the program has no socket on any queue. Packets that it redirected before may be on their way to the
 * sockets until programs_wait returns. */
void port_pause(struct port *port);
void port_leave(const struct port *port, uint32_t queue);
/* To be called after the sockets were entered and programs_wait has returned. */
void port_resume(struct port *port);
/* Detaches the program, and keeps its counts. */
void port_detach(struct port *port);
/* Detaches the program, without its counts. */
void port_close(struct port *port);
/* Called on the thread of a worker that ends by itself: packets of its queue go to the stack from now on. */
void port_worker_ended(struct port *port, uint32_t queue);
/* 0, or -ENOENT if no program is attached, or only a simulated one. */
int port_look(struct port *port, struct xdplab_hold *hold);
int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts);

#endif
