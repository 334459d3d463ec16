/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads compiled BPF programs with libbpf; an error has the verifier's log.
 */
#ifndef XDPLAB_PROGRAM_H
#define XDPLAB_PROGRAM_H

#include <stdint.h>

#include "include/error.h"

struct bpf_insn;
struct bpf_object;

/* An XDP program whose instructions have their relocations done. */
struct program_code {
	const char *name;
	const char *license;
	const struct bpf_insn *instructions;
	uint32_t count;
	uint32_t flags;
	uint32_t interface_index; /* of the device that it is bound to, or 0 */
	const int32_t *maps; /* that its instructions name by their number; may be NULL */
};

/* 0, or an error if this process can't open the descriptors that loading a program needs. To be called before each call
 * in which libbpf may probe for a kernel feature: it remembers a failed probe for the life of the process, even if it
 * failed only for lack of a descriptor. */
int program_check_descriptors(const char *tried, struct xdplab_error *error);
/* Opens an object file without loading it, so that its maps can still be sized. */
struct bpf_object *program_open(const char *path, struct xdplab_error *error);
int program_load(struct bpf_object *object, const char *path, struct xdplab_error *error);
/* Loads an XDP program from its instructions. Returns its descriptor, or an error. */
int program_load_code(const struct program_code *program, struct xdplab_error *error);
/* Descriptor of a map or program in a loaded object; negative if there is none of that name. */
int program_descriptor(const struct bpf_object *object, const char *name);
/* Attaches a program to an interface. Returns the link's descriptor, or an error. */
int program_link(int program, uint32_t interface_index, uint32_t attach_mode, struct xdplab_error *error);
/* Fills in the error for the errno with which the kernel refused the link. */
int program_refuse_link(uint32_t attach_mode, struct xdplab_error *error);
/* Returns when all earlier runs of programs have ended, and their redirected packets were delivered. */
void programs_wait(void);

#endif
