/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading compiled BPF programs with libbpf, with the verifier's words where it refuses.
 */
#ifndef XDPLAB_PROGRAM_H
#define XDPLAB_PROGRAM_H

#include "engine.h"

struct bpf_object;

/* Opens an object file without loading it, so that its maps can still be sized. */
struct bpf_object *program_open(const char *path, struct xdplab_error *error);
int program_load(struct bpf_object *object, const char *path, struct xdplab_error *error);
/* Descriptors within a loaded object; negative where there is none of that name. */
int program_descriptor(const struct bpf_object *object, const char *name);
/* Returns when every run of a program that began before has ended, and what it redirected was delivered. */
void programs_wait(void);

#endif
