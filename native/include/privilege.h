/* SPDX-License-Identifier: Apache-2.0
 *
 * Network namespaces (privilege/namespace.c), and how a process drops privilege: for good (privilege/confine.c), or to
 * become a lab process that belongs to a client of the broker (privilege/lab_process.c).
 */
#ifndef XDPLAB_INCLUDE_PRIVILEGE_H
#define XDPLAB_INCLUDE_PRIVILEGE_H

#include <stdint.h>

#include "include/error.h"

/* Both change the calling thread's namespace; Python has them from 3.12 on. 0 or a negative errno. */
int xdplab_setns(int descriptor);
int xdplab_unshare_network(void);
/* Opens the network namespace of a socket that another process has open. Returns a descriptor or a negative errno:
 * -EPERM if the caller may not trace that process, or not administer that namespace. */
int xdplab_network_of_socket(int32_t process, int32_t descriptor);
/* Finds the owner of a network namespace: the user who made the user namespace that owns it. -EINVAL if the descriptor
 * is none of a network namespace, -EPERM if the initial user namespace owns it, or one above the caller's. */
int xdplab_namespace_owner(int descriptor, uint32_t *user);

/* Which system calls a process may still make. */
enum xdplab_filter {
	XDPLAB_FILTER_NONE,
	XDPLAB_FILTER_SESSION, /* bpf, netlink, threads; no file is written, no program run, no namespace entered */
	XDPLAB_FILTER_PARSER,  /* read, write, memory */
	XDPLAB_FILTER_KEEPER,  /* wait for children, kill */
};
struct xdplab_confinement {
	uint32_t user, group;  /* to run as; supplementary groups are dropped */
	uint64_t capabilities; /* bits of those to keep; the others are lost for good */
	uint32_t filter;
};
/* Confines the calling process for good; it must have only one thread. If this fails, the process must end. */
int xdplab_confine(const struct xdplab_confinement *confinement, struct xdplab_error *error);
/* A lab process is made in three steps and belongs to its client only after the last one: until then its real and
 * saved user are root, so that the client can neither signal nor inspect it.
 *
 * First, in a child: makes a user namespace that belongs to the user. Needs CAP_SETUID, CAP_SETGID and, where users may
 * not make such a namespace themselves, CAP_SYS_ADMIN. */
int xdplab_make_user_namespace(uint32_t user, uint32_t group, const uint32_t *groups, uint32_t count,
			       struct xdplab_error *error);
/* Second, in its parent: writes to /proc/PROCESS which user is root there. Needs CAP_SETUID, CAP_SETGID and
 * CAP_SYS_ADMIN. */
int xdplab_map_user_namespace(int32_t process, uint32_t user, uint32_t group, struct xdplab_error *error);
/* Third, in the child: becomes root there, without a capability outside of it. */
int xdplab_enter_user_namespace(struct xdplab_error *error);
/* Makes the calling process the parent of orphaned descendants (PR_SET_CHILD_SUBREAPER); 0 or a negative errno. */
int xdplab_adopt_orphans(void);
/* Requests a signal for when the parent process ends. 0 or a negative errno; -ESRCH if it has already ended. */
int xdplab_die_with(int32_t parent, int32_t signal);

#endif
