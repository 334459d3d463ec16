/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's trace buffers as files (xdp/tracefs.c), in which the lines of bpf_printk are.
 */
#ifndef XDPLAB_INCLUDE_TRACEFS_H
#define XDPLAB_INCLUDE_TRACEFS_H

/* Mounts tracefs nowhere: only the descriptor that is returned leads there. Or a negative errno: -EPERM without
 * CAP_SYS_ADMIN. */
int xdplab_tracefs_open(void);

#endif
