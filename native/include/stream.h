/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames that a generator sends, or a worker whose action is generate.
 */
#ifndef XDPLAB_INCLUDE_STREAM_H
#define XDPLAB_INCLUDE_STREAM_H

#include <stdint.h>

struct xdplab_stream_config {
	uint32_t size; /* bytes of a frame, without its checksum */
	uint32_t flows;
	uint64_t interval_ps;  /* between two frames, in picoseconds; 0: as fast as it can */
	uint64_t limit_frames; /* most frames of one start; 0: no limit */
	uint64_t limit_ns;     /* longest time of one start; 0: no limit */
	uint8_t headers[42];   /* Ethernet, IPv4, UDP */
};

#endif
