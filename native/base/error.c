/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int fail(struct xdplab_error *error, enum xdplab_step step, int code, const char *tried, ...)
{
	va_list arguments;

	error->step = step;
	error->code = code;
	va_start(arguments, tried);
	vsnprintf(error->tried, sizeof(error->tried), tried, arguments);
	va_end(arguments);
	return -code;
}
