/* SPDX-License-Identifier: Apache-2.0
 *
 * A generator in another process, read through its state map.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "include/generator.h"
#include "include/traffic.h"

/* Another process and a program in the kernel read and write it at their own pace: each word is loaded and stored
 * whole, and relaxed, as none of them says anything about another. */
struct xdplab_generator_state {
	struct traffic_state traffic;
};

struct xdplab_generator_state *xdplab_generator_state_map(int descriptor, struct xdplab_error *error)
{
	void *mapped = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

	if (mapped == MAP_FAILED) {
		fail(error, XDPLAB_STEP_GENERATE, errno, "map the generator's state");
		return NULL;
	}
	return mapped;
}

void xdplab_generator_state_unmap(struct xdplab_generator_state *state)
{
	munmap(state, (size_t)sysconf(_SC_PAGESIZE));
}

uint64_t xdplab_generator_state_sent(const struct xdplab_generator_state *state)
{
	return __atomic_load_n(&state->traffic.sent, __ATOMIC_RELAXED);
}

void xdplab_generator_state_set_interval(struct xdplab_generator_state *state, uint64_t interval_ps)
{
	__atomic_store_n(&state->traffic.interval_ps, interval_ps, __ATOMIC_RELAXED);
}
