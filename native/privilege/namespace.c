/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>

#include "include/engine.h"

int xdplab_setns(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET) ? -errno : 0;
}

int xdplab_unshare_network(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}
