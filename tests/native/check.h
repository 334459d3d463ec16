/* SPDX-License-Identifier: Apache-2.0
 *
 * What the native tests assert with: unlike assert(3) it says what the values were, and a release build
 * keeps it.
 */
#ifndef XDPLAB_CHECK_H
#define XDPLAB_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* The condition, and in printf's words what was found instead. */
#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s is not so: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			exit(1); \
		} \
	} while (0)

/* Instrumented loads and stores take some ten times as long. */
#ifdef __SANITIZE_THREAD__
enum { SLOWNESS = 10 };
#else
enum { SLOWNESS = 1 };
#endif

#endif
