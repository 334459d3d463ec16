/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole public API, for Python. The engine's own code does not include this file.
 */
#include "include/capture.h"
#include "include/drops.h"
#include "include/elements.h"
#include "include/engine.h"
#include "include/fields.h"
#include "include/frame.h"
#include "include/generator.h"
#include "include/handler.h"
#include "include/metadata.h"
#include "include/pcapng.h"
#include "include/privilege.h"
#include "include/program.h"
#include "include/program_run.h"
#include "include/reader.h"
#include "include/ring_buffer.h"
#include "include/soft.h"
#include "include/softirq.h"
#include "include/tcp_receiver.h"
#include "include/tracefs.h"
#include "include/udp_echo.h"
