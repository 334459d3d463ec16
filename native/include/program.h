/* SPDX-License-Identifier: Apache-2.0
 *
 * An XDP program of the user's, loaded with its maps from plain data (xdp/load.c). xdplab/programs/spec.py reads that
 * data from an object file.
 */
#ifndef XDPLAB_INCLUDE_PROGRAM_H
#define XDPLAB_INCLUDE_PROGRAM_H

#include <stdint.h>

#include "include/error.h"

struct xdplab_map {
	const char *name;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t entries;
	uint32_t flags;
	const uint8_t *initial; /* value of the only entry of an array, or NULL */
	uint32_t frozen;        /* nobody may change it any more */
};
struct xdplab_program {
	const char *name;
	const char *license;
	const uint64_t *instructions; /* they name a map by its index among the descriptors */
	uint32_t instruction_count;
	uint32_t flags;
};

/* Returns the map's descriptor, or a negative errno. */
int xdplab_map_create(const struct xdplab_map *map, struct xdplab_error *error);
/* Returns the program's descriptor, or a negative errno. The program holds its maps. */
int xdplab_program_load(const struct xdplab_program *program, const int32_t *maps, struct xdplab_error *error);
/* Attaches a program to an interface of the calling thread's network namespace (enum xdplab_attach_mode). Returns the
 * descriptor of its link, or a negative errno. */
int xdplab_program_attach(int32_t program, uint32_t interface_index, uint32_t attach_mode,
			  struct xdplab_error *error);
/* Replaces the program of a link: each packet gets the old one or the new one. 0 or a negative errno. */
int xdplab_link_replace(int32_t link, int32_t program, struct xdplab_error *error);
/* The link's id, which no other link has; 0, or a meaningless number, if the descriptor is of no XDP link. */
uint32_t xdplab_link_id(int32_t link);

/* Writes the types of the running kernel as C. 0 or a negative errno: ENOENT if the kernel does not tell them. */
int xdplab_kernel_types(int32_t descriptor);

/* Whether a map with this id exists, or a program if `is_map` is 0. Needs CAP_SYS_ADMIN. */
int xdplab_bpf_exists(uint32_t is_map, uint32_t id);

#endif
