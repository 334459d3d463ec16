/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/path.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PATH_ENTRY(name) &path_##name,
const struct path_kind *const path_kinds[PATH_COUNT] = { PATHS(PATH_ENTRY) };
#undef PATH_ENTRY

const char *xdplab_path(uint32_t index)
{
	return index < PATH_COUNT ? path_kinds[index]->name : NULL;
}

uint32_t xdplab_path_counts(uint32_t index)
{
	return index < PATH_COUNT ? path_kinds[index]->counts : XDPLAB_COUNTS_REDIRECTED;
}

void path_keeps(struct path *path, const struct xdp_desc *frames, uint32_t count)
{
	path->operations->recycle(path, frames, count);
}

bool path_needs_no_kick(struct path *path)
{
	(void)path;
	return false;
}

uint32_t path_has_no_room(const struct path *path)
{
	(void)path;
	return 0;
}

uint32_t path_completes_none(struct path *path, struct xdp_desc *frames, uint32_t limit)
{
	(void)path;
	(void)frames;
	(void)limit;
	return 0;
}

void path_publishes_nothing(struct path *path, const struct xdplab_counters *base, struct xdplab_counters *counters)
{
	(void)path;
	(void)base;
	(void)counters;
}

void path_shows_nothing(struct path *path, struct xdplab_rings *rings)
{
	(void)path;
	(void)rings;
}

int path_socket(const struct path_place *place, int family, int type)
{
	if (place->socket < 0)
		return socket(family, type | SOCK_CLOEXEC, 0);
	return fcntl(place->socket, F_DUPFD_CLOEXEC, 0);
}

int path_link_fault(int socket, uint32_t interface_index)
{
	struct ifreq request = { .ifr_ifindex = (int)interface_index };

	return ioctl(socket, SIOCGIFNAME, &request) ? errno : 0;
}
