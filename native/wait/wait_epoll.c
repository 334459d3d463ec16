/* SPDX-License-Identifier: Apache-2.0
 *
 * epoll: sleeps in epoll_pwait2, or before Linux 5.11 in epoll_wait, whose timeout is in milliseconds.
 */
#include "shared/wait.h"
#include "wait/epoll.h"

const struct wait_strategy wait_epoll = {
	.name = "epoll",
	.prepare = epoll_prepare,
	.wait = epoll_sleep,
	.leave = epoll_leave,
	.release = epoll_release,
};
