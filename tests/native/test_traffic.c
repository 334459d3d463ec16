/* SPDX-License-Identifier: Apache-2.0
 *
 * What three compilers must agree on: the generator's program, its thread, and the worker that receives.
 */
#include "include/traffic.h"

#include <assert.h>
#include <stddef.h>

#include "include/stream.h"

static_assert(sizeof(struct traffic_payload) == 18, "packed");
static_assert(offsetof(struct traffic_payload, sequence) == 2, "packed");
static_assert(offsetof(struct traffic_payload, time_ns) == 10, "packed");
static_assert(TRAFFIC_HEADERS == 14 + 20 + 8, "Ethernet, IPv4, UDP");
static_assert(TRAFFIC_HEADERS + sizeof(struct traffic_payload) == TRAFFIC_SMALLEST,
	      "the smallest frame holds it, and no byte more");
static_assert(TRAFFIC_SMALLEST == 60, "the smallest Ethernet frame, without its checksum");
static_assert(sizeof(((struct xdplab_stream_config *)0)->headers) == TRAFFIC_HEADERS, "copied as a whole");
static_assert(sizeof(struct traffic_state) <= 4096, "mapped as one page");
static_assert(offsetof(struct traffic_state, start_ns) == 64, "what the program writes has a cache line of its own");

int main(void)
{
	return 0;
}
