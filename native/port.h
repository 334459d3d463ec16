/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine's hold on one interface: the XDP program there. Someone else may take the program off, and the interface
 * may be moved to another network namespace or removed.
 *
 * The kernel takes an AF_XDP socket off an interface that moves, and leaves the program attached, which then has
 * nowhere to lead packets to: the last worker of the port takes it off, so that the interface is not deaf where it
 * is now.
 */
#ifndef XDPLAB_PORT_H
#define XDPLAB_PORT_H

#include <pthread.h>
#include <stdbool.h>

#include "xdp.h"

struct port {
	struct xdp xdp;
	bool open;
	struct xdplab_verdicts base; /* of programs that were attached before */
	uint32_t workers;            /* that receive from it */
	uint32_t ended;              /* of those, by themselves */
	struct xdplab_hold hold;     /* the program's id from the beginning on, the rest once they all ended */
	/* Between a worker that ends and whoever detaches the program. */
	pthread_mutex_t lock;
};

void port_init(struct port *port);
void port_destroy(struct port *port);
/* Its program runs from now on. */
void port_opened(struct port *port, uint32_t workers);
/* Takes the program off, and keeps what it counted. */
void port_detach(struct port *port);
/* On the thread of a worker that ends by itself: packets of its queue go to the stack from now on. */
void port_worker_ended(struct port *port, uint32_t queue);
/* 0, or -ENOENT where no program is attached, or none that anybody else could touch. */
int port_look(struct port *port, struct xdplab_hold *hold);
int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts);

#endif
