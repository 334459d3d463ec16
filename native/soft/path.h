/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XDPLAB_PATH_SOFT_H
#define XDPLAB_PATH_SOFT_H

#include "receive/path_xsk.h"

struct soft_socket;

struct path_soft {
	struct path_xsk xsk; /* the code above the port is the same */
	struct soft_socket *socket;
};

extern const struct port_operations port_soft;

#endif
