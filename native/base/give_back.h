/* SPDX-License-Identifier: Apache-2.0
 *
 * Closes the object that `held` points to, unless NULL, and sets the pointer to NULL: in one call, for callers that
 * may be interrupted between two.
 */
#ifndef XDPLAB_GIVE_BACK_H
#define XDPLAB_GIVE_BACK_H

#include <stddef.h>

#define DEFINE_GIVE_BACK(kind)                      \
	void kind##_give_back(struct kind **held)   \
	{                                           \
		struct kind *given = *held;         \
                                                    \
		*held = NULL;                       \
		if (given)                          \
			kind##_close(given);        \
	}

#endif
