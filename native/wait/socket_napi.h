/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_SOCKET_NAPI_H
#define XDPLAB_SOCKET_NAPI_H

#include <sys/socket.h>

#include "shared/worker.h"

/* The id of the NAPI that the worker's socket knows as its own; 0: none. It learns it at bind, from drivers that link
 * their queues to NAPI (since Linux 6.13); before that, with its first packet. */
static inline int socket_napi(const struct worker *worker)
{
	int napi = 0;
	socklen_t length = sizeof(napi);

	return getsockopt(worker->rx->descriptor, SOL_SOCKET, SO_INCOMING_NAPI_ID, &napi, &length) ? 0 : napi;
}

#endif
