/* SPDX-License-Identifier: Apache-2.0
 *
 * What the generated extension includes: the headers as cffi parsed them, where shared words are plain ones.
 */
#include <stdint.h>
#define XDPLAB_CFFI
#include "include/xdplab.h"
