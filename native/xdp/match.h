/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet filter (base/packet_filter.h) in front of an XDP program.
 */
#ifndef XDPLAB_MATCH_H
#define XDPLAB_MATCH_H

#include "include/error.h"

struct bpf_program;
struct xdplab_match;

/* Loads a loaded program once more, with the filter in front of it: packets that pass the filter reach the program. All
 * others go to the stack, and are counted in the map `verdicts`. Returns the new program's descriptor, or an error. */
int match_load(const struct bpf_program *program, const struct xdplab_match *match, uint32_t interface_index,
	       int verdicts, struct xdplab_error *error);

#endif
