/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "include/engine.h"

#define DEFINE_GIVE_BACK(kind)                      \
	void kind##_give_back(struct kind **held)   \
	{                                           \
		struct kind *given = *held;         \
                                                    \
		*held = NULL;                       \
		if (given)                          \
			kind##_close(given);        \
	}

DEFINE_GIVE_BACK(xdplab_engine)
DEFINE_GIVE_BACK(xdplab_generator)
DEFINE_GIVE_BACK(xdplab_soft_generator)
DEFINE_GIVE_BACK(xdplab_wire)
DEFINE_GIVE_BACK(xdplab_softirq)
