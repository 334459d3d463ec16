/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading compiled BPF programs with libbpf, with the verifier's words where it refuses.
 */
#ifndef XDPLAB_PROGRAM_H
#define XDPLAB_PROGRAM_H

#include "include/error.h"

struct bpf_object;

/* 0, or the refusal, where this process can't have the descriptors that loading a program takes. Before each call
 * with which libbpf may look for a feature of the kernel: it remembers for the life of the process which of them it
 * did not find, also where all that it lacked was a descriptor to look with. */
int program_check_descriptors(const char *tried, struct xdplab_error *error);
/* Opens an object file without loading it, so that its maps can still be sized. */
struct bpf_object *program_open(const char *path, struct xdplab_error *error);
int program_load(struct bpf_object *object, const char *path, struct xdplab_error *error);
/* Descriptors within a loaded object; negative where there is none of that name. */
int program_descriptor(const struct bpf_object *object, const char *name);
/* Attaches a program to an interface. The link's descriptor, or the refusal. */
int program_link(int program, uint32_t interface_index, uint32_t attach_mode, struct xdplab_error *error);
/* Tells, by errno, why the kernel refused to. */
int program_refuse_link(uint32_t attach_mode, struct xdplab_error *error);
/* Returns when every run of a program that began before has ended, and what it redirected was delivered. */
void programs_wait(void);

#endif
