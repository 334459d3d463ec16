/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 *
 * What the capture program counts on each core. Shared with bpf/; engine.h has the sum of all cores.
 */
#ifndef XDPLAB_VERDICTS_H
#define XDPLAB_VERDICTS_H

#include <linux/types.h>

struct verdicts {
	__u64 redirected;
	__u64 passed;
	__u64 no_socket;
};

#endif
