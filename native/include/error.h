/* SPDX-License-Identifier: Apache-2.0
 *
 * An error: the step that failed, the errno and a text (base/error.c).
 */
#ifndef XDPLAB_INCLUDE_ERROR_H
#define XDPLAB_INCLUDE_ERROR_H

#include <stdint.h>

/* The step that the kernel refused. Python maps each to a remedy. */
enum xdplab_step {
	XDPLAB_STEP_NONE,
	XDPLAB_STEP_LOAD_PROGRAM,
	XDPLAB_STEP_ATTACH_PROGRAM,
	XDPLAB_STEP_OPEN_SOCKET,
	XDPLAB_STEP_REGISTER_UMEM,
	XDPLAB_STEP_SIZE_RINGS,
	XDPLAB_STEP_BIND,
	XDPLAB_STEP_ENTER_SOCKET,
	XDPLAB_STEP_MAKE_REGION,
	XDPLAB_STEP_START_THREAD,
	XDPLAB_STEP_PREPARE_WAIT,
	XDPLAB_STEP_GENERATE,
	XDPLAB_STEP_TRACE,
	XDPLAB_STEP_MAP_HUGE_PAGES,
	XDPLAB_STEP_BIND_SOCKET,
	XDPLAB_STEP_PREPARE_PATH,
	XDPLAB_STEP_VERIFY_PROGRAM, /* of the user's own */
	XDPLAB_STEP_RUN_PROGRAM,    /* likewise, on a frame of the user's */
	XDPLAB_STEP_PREPARE_TCP,
};

struct xdplab_error {
	uint32_t step;
	int32_t code; /* positive errno */
	char tried[160];
	char detail[16384]; /* the verifier's log, or empty */
};

#endif
