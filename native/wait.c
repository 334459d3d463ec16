/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <stddef.h>

#include "engine.h"

#define WAIT_ENTRY(name) &wait_##name,
const struct wait_strategy *const wait_strategies[WAIT_COUNT] = { WAIT_STRATEGIES(WAIT_ENTRY) };
#undef WAIT_ENTRY

const char *xdplab_wait_strategy(uint32_t index)
{
	return index < WAIT_COUNT ? wait_strategies[index]->name : NULL;
}
