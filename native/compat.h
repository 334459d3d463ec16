/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel constants that a distribution's headers may lack, with the version that brought each.
 */
#ifndef XDPLAB_COMPAT_H
#define XDPLAB_COMPAT_H

#include <fcntl.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26) /* Linux 3.8; glibc leaves it to linux/mman.h */
#endif

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17 */
#endif

#endif
