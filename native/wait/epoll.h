/* SPDX-License-Identifier: Apache-2.0
 *
 * Sleeps in epoll_wait: the common code of the wait strategies on epoll. The functions are those of struct wait_strategy,
 * and the state is a struct epoll.
 *
 * With epoll_napi, epoll_wait drives the socket's NAPI itself before it sleeps (EPIOCSPARAMS, Linux 6.9). The socket has
 * to know its NAPI, as for busy-poll.
 */
#ifndef XDPLAB_EPOLL_H
#define XDPLAB_EPOLL_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct epoll {
	int descriptor;
	bool watching; /* the socket is in the epoll set, which then costs time for each packet */
	bool coarse;   /* no epoll_pwait2 */
	bool driving;  /* it was told how to drive NAPI, and these are the last values */
	uint32_t microseconds;
	uint32_t budget;
};

int epoll_prepare(struct worker *worker, void **state);
/* Likewise, and -ENOTTY where epoll can't drive NAPI. */
int epoll_prepare_napi(struct worker *worker, void **state);
/* Before a wait: lets epoll drive NAPI, for so long at a time and with the budget in the control block. */
void epoll_napi(struct worker *worker, void *state, uint32_t microseconds);
bool epoll_sleep(struct worker *worker, void *state, uint64_t timeout_ns);
void epoll_leave(struct worker *worker, void *state);
void epoll_release(void *state);

#endif
