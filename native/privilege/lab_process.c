/* SPDX-License-Identifier: Apache-2.0
 *
 * A lab process that the broker starts: the client's own program, in a user namespace of its own.
 *
 * It is forked from a process that holds the broker's memory and descriptors. So its parent writes the namespace's
 * maps: to write them itself, its files below /proc would have to belong to its user, who could then read its memory
 * and descriptors (PR_SET_DUMPABLE). It changes to its user last, just before it runs another program; from then on its
 * user can stop it, but can't inspect it before that program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "include/privilege.h"

static int refuse(struct xdplab_error *error, const char *tried)
{
	return fail(error, XDPLAB_STEP_NONE, errno, "%s", tried);
}

int xdplab_make_user_namespace(uint32_t user, uint32_t group, const uint32_t *groups, uint32_t count,
			       struct xdplab_error *error)
{
	const int securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	/* The capabilities survive the change of user, to make the namespace, which resets both. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    prctl(PR_SET_SECUREBITS, (unsigned long)securebits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
		return refuse(error, "keep the capabilities");
	/* The effective user owns the namespace; the real and saved users may signal and trace the process. */
	if (setgroups(count, groups) || setresgid(group, group, group) || seteuid(user))
		return refuse(error, "take on the client's user");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return refuse(error, "forbid to trace it");
	if (unshare(CLONE_NEWUSER))
		return refuse(error, "make a user namespace");
	return 0;
}

static int write_file(int32_t process, const char *name, const char *text)
{
	char path[64];
	ssize_t written;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/%s", process, name);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	written = write(file, text, strlen(text));
	close(file);
	return written < 0 ? -1 : 0;
}

int xdplab_map_user_namespace(int32_t process, uint32_t user, uint32_t group, struct xdplab_error *error)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", user);
	snprintf(groups, sizeof(groups), "0 %u 1", group);
	/* "deny": otherwise it could leave groups that restrict its rights (user_namespaces(7)). */
	if (write_file(process, "setgroups", "deny") || write_file(process, "uid_map", users) ||
	    write_file(process, "gid_map", groups))
		return refuse(error, "say who is root of a user namespace");
	return 0;
}

int xdplab_enter_user_namespace(struct xdplab_error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse(error, "forbid new privileges");
	if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return refuse(error, "become root of a user namespace");
	return 0;
}
