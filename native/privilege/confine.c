/* SPDX-License-Identifier: Apache-2.0
 *
 * Drops privilege for good, of a process with one thread: capabilities, bounding set, secure bits and filter are a
 * thread's own. The C library has no wrapper for capset.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "include/privilege.h"
#include "privilege/filter.h"

enum { HIGHEST_CAPABILITY = 63 };

static int refuse(struct xdplab_error *error, const char *tried)
{
	return fail(error, XDPLAB_STEP_NONE, errno, "%s", tried);
}

static int set_capabilities(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = (uint32_t)capabilities, .permitted = (uint32_t)capabilities },
		{ .effective = (uint32_t)(capabilities >> 32), .permitted = (uint32_t)(capabilities >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

/* So that no program started later can regain a capability. */
static int empty_bounding_set(void)
{
	for (unsigned long capability = 0; capability <= HIGHEST_CAPABILITY; capability++)
		/* EINVAL: beyond the last capability that this kernel knows. */
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EINVAL)
			return -1;
	return 0;
}

static int become(uint32_t user, uint32_t group)
{
	return setgroups(0, NULL) || setresgid(group, group, group) || setresuid(user, user, user) ? -1 : 0;
}

int xdplab_confine(const struct xdplab_confinement *confinement, struct xdplab_error *error)
{
	/* Root gets no capabilities for being root, and a change of user changes none: only capset does. */
	const unsigned long securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
					 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
					 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	/* The session that forks a parser has done this, and without CAP_SETPCAP it can't be done again. */
	if (confinement->filter != XDPLAB_FILTER_PARSER) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
			return refuse(error, "clear the ambient capabilities");
		if (prctl(PR_SET_SECUREBITS, securebits, 0, 0, 0))
			return refuse(error, "lock the secure bits");
		if (empty_bounding_set())
			return refuse(error, "empty the bounding set");
		if (become(confinement->user, confinement->group))
			return refuse(error, "become the client's user");
	}
	if (set_capabilities(confinement->capabilities))
		return refuse(error, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse(error, "forbid new privileges");
	/* Only root with CAP_SYS_PTRACE may inspect its memory and descriptors, not its user. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return refuse(error, "forbid to trace it");
	return filter_load(confinement->filter, error);
}

int xdplab_die_with(int32_t parent, int32_t signal)
{
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int xdplab_adopt_orphans(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) ? -errno : 0;
}
