/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Only the offsets of the time namespace for children can be read; a process enters that one with its next exec. A
 * process whose children have another namespace than itself is taken to be in the initial one. */
static bool is_in_namespace_of_children(void)
{
	struct stat own, children;

	return !stat("/proc/self/ns/time", &own) && !stat("/proc/self/ns/time_for_children", &children) &&
	       own.st_ino == children.st_ino && own.st_dev == children.st_dev;
}

uint64_t clock_offset_ns(void)
{
	/* Before Linux 5.6 there is no such file, and no such namespace. */
	FILE *offsets = is_in_namespace_of_children() ? fopen("/proc/self/timens_offsets", "re") : NULL;
	uint64_t offset_ns = 0;
	int64_t seconds, rest;
	char name[32];

	if (!offsets)
		return 0;
	while (fscanf(offsets, "%31s %" SCNd64 " %" SCNd64, name, &seconds, &rest) == 3)
		if (!strcmp(name, "monotonic"))
			offset_ns = (uint64_t)seconds * NS_PER_SECOND + (uint64_t)rest;
	fclose(offsets);
	return offset_ns;
}
