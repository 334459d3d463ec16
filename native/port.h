/* SPDX-License-Identifier: Apache-2.0
 *
 * The XDP program of one of an engine's interfaces, over the engine's reconfigurations.
 *
 * The program stays attached while the sockets behind it are closed and others opened: it is paused, with no socket on
 * any queue, and passes to the stack what it would have redirected. So each packet is counted by the program, as one
 * that came while the engine was reconfigured. A program that must be another one is replaced on the same link, which
 * loses nothing either. Only from native to SKB mode and back the kernel allows no such thing: then the interface is
 * without a program for a moment.
 */
#ifndef XDPLAB_PORT_H
#define XDPLAB_PORT_H

#include <stdbool.h>

#include "xdp.h"

struct port {
	struct xdp xdp;
	bool open;                         /* its program is attached, */
	struct xdp_options_of_port options; /* as these say */
	bool paused;
	uint64_t paused_at;          /* packets without a socket when it was paused */
	struct xdplab_verdicts base; /* of programs that were attached before */
	uint32_t detachments;        /* times that it was left without a program */
};

/* Attaches the program, or keeps the one there is, or replaces it. It is paused then. */
int port_attach(struct port *port, const struct xdp_options_of_port *options, struct xdplab_error *error);
/* Likewise where someone else attaches it: says whether there is one to keep. One that can't be kept is detached. */
bool port_keeps(struct port *port, const struct xdp_options_of_port *options);
/* Holds what someone else attached. */
int port_take(struct port *port, const struct xdp_options_of_port *options, const struct xdplab_attachment *attachment,
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
int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts);

#endif
