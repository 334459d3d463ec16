/* SPDX-License-Identifier: Apache-2.0
 *
 * All of the public API: what Python sees, and nothing that the engine's own code includes.
 */
#include "include/engine.h"
#include "include/generator.h"
#include "include/privilege.h"
#include "include/reader.h"
#include "include/soft.h"
#include "include/softirq.h"
#include "include/udp_echo.h"
