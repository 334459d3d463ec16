/* SPDX-License-Identifier: Apache-2.0 */
#include "action.h"

#define ACTION_ENTRY(name) &action_##name,
const struct action *const actions[ACTION_COUNT] = { ACTIONS(ACTION_ENTRY) };
#undef ACTION_ENTRY
