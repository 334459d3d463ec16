/* SPDX-License-Identifier: Apache-2.0
 *
 * Included by the generated extension: the headers as cffi parsed them, in which shared words are not atomic.
 */
#include <stdint.h>
#define XDPLAB_CFFI
#include "include/xdplab.h"
