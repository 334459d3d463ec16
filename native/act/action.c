/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/action.h"

#include <stddef.h>

#include "include/engine.h"

#define ACTION_ENTRY(name) &action_##name,
const struct action *const actions[ACTION_COUNT] = { ACTIONS(ACTION_ENTRY) };
#undef ACTION_ENTRY

const char *xdplab_action(uint32_t index)
{
	return index < ACTION_COUNT ? actions[index]->name : NULL;
}
