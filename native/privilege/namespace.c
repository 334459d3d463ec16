/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "include/privilege.h"

/* Inode number of the initial user namespace (include/linux/proc_ns.h). */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu

int xdplab_setns(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET) ? -errno : 0;
}

int xdplab_unshare_network(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

int xdplab_network_of_socket(int32_t process, int32_t descriptor)
{
	int holder, copy, found;

	/* A pidfd can't refer to a later process with the same number. glibc has these functions from 2.36 on. */
	holder = syscall(SYS_pidfd_open, process, 0);
	if (holder < 0)
		return -errno;
	copy = syscall(SYS_pidfd_getfd, holder, descriptor, 0);
	found = copy < 0 ? -errno : 0;
	close(holder);
	if (copy < 0)
		return found;
	found = ioctl(copy, SIOCGSKNS);
	if (found < 0)
		found = -errno;
	close(copy);
	return found;
}

static int owner_of_user_namespace(int descriptor, uint32_t *user)
{
	struct stat status;
	uid_t owner;

	if (fstat(descriptor, &status))
		return -errno;
	if (status.st_ino == FIRST_USER_NAMESPACE)
		return -EPERM;
	if (ioctl(descriptor, NS_GET_OWNER_UID, &owner))
		return -errno;
	*user = owner;
	return 0;
}

int xdplab_namespace_owner(int descriptor, uint32_t *user)
{
	struct statfs filesystem;
	int owner, result;

	/* Check this first: these ioctls mean something else on other files. */
	if (fstatfs(descriptor, &filesystem))
		return -errno;
	if (filesystem.f_type != NSFS_MAGIC || ioctl(descriptor, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EINVAL;
	owner = ioctl(descriptor, NS_GET_USERNS);
	if (owner < 0)
		return -errno;
	result = owner_of_user_namespace(owner, user);
	close(owner);
	return result;
}
