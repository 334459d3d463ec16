/* SPDX-License-Identifier: Apache-2.0
 *
 * Network namespaces (privilege/namespace.c), and how a process gives up power: for good (privilege/confine.c), or to
 * become a lab process that belongs to a client of the broker's (privilege/lab_process.c).
 */
#ifndef XDPLAB_INCLUDE_PRIVILEGE_H
#define XDPLAB_INCLUDE_PRIVILEGE_H

#include <stdint.h>

#include "include/error.h"

/* Of the calling thread; Python has these from 3.12 on. 0 or a negative errno. */
int xdplab_setns(int descriptor);
int xdplab_unshare_network(void);
/* The network namespace of a socket that another process has open, or a negative errno: -EPERM where the caller may not
 * trace that process, or administer that namespace. */
int xdplab_network_of_socket(int32_t process, int32_t descriptor);
/* Whose a network namespace is: the user who made the user namespace that owns it. -EINVAL where the descriptor is
 * of anything else, -EPERM where the first user namespace owns it, or one above the caller's. */
int xdplab_namespace_owner(int descriptor, uint32_t *user);

/* What a process may still ask of the kernel. */
enum xdplab_filter {
	XDPLAB_FILTER_NONE,
	XDPLAB_FILTER_SESSION, /* bpf, netlink, threads; no file is written, no program run, no namespace entered */
	XDPLAB_FILTER_PARSER,  /* read, write, memory */
	XDPLAB_FILTER_KEEPER,  /* wait for children, and kill */
};
struct xdplab_confinement {
	uint32_t user, group;  /* becomes that; no supplementary group is left */
	uint64_t capabilities; /* keeps these, by their bits; never to regain another */
	uint32_t filter;
};
/* Of the calling process, which has one thread, for good. A process that this fails in must end. */
int xdplab_confine(const struct xdplab_confinement *confinement, struct xdplab_error *error);
/* A lab process comes to be in three steps, and belongs to its client only after the last: until then its real and
 * saved user are root's, so that the client can neither signal it nor look into it.
 *
 * First, in a child: makes a user namespace that belongs to the user. Needs CAP_SETUID, CAP_SETGID and, where users may
 * not make such a namespace themselves, CAP_SYS_ADMIN. */
int xdplab_make_user_namespace(uint32_t user, uint32_t group, const uint32_t *groups, uint32_t count,
			       struct xdplab_error *error);
/* Second, in its parent: says in /proc/PROCESS who is root there. Needs CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN. */
int xdplab_map_user_namespace(int32_t process, uint32_t user, uint32_t group, struct xdplab_error *error);
/* Third, in the child: becomes root there, without a capability outside of it. */
int xdplab_enter_user_namespace(struct xdplab_error *error);
/* Orphans among what the calling process' children start become its own children; 0 or a negative errno. */
int xdplab_adopt_orphans(void);
/* A signal when the process that made this one ends; 0 or a negative errno, -ESRCH where it already has. */
int xdplab_die_with(int32_t parent, int32_t signal);

#endif
