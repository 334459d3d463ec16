/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include "error.h"

struct xdplab_wire *xdplab_wire_open(const struct xdplab_wire_config *config, struct xdplab_error *error)
{
	(void)config;
	fail(error, XDPLAB_STEP_OPEN_SOCKET, ENOSYS, "open a wire");
	return NULL;
}
void xdplab_wire_close(struct xdplab_wire *w) { (void)w; }
void xdplab_wire_cut(struct xdplab_wire *w) { (void)w; }
int xdplab_wire_is_cut(const struct xdplab_wire *w) { (void)w; return 0; }
void xdplab_wire_set_faults(struct xdplab_wire *w, uint32_t e, const struct xdplab_wire_faults *f) { (void)w; (void)e; (void)f; }
void xdplab_wire_link_statistics(const struct xdplab_wire *w, uint32_t e, struct xdplab_link_statistics *s) { (void)w; (void)e; (void)s; }
void xdplab_wire_queue_statistics(const struct xdplab_wire *w, uint32_t e, uint32_t q, struct xdplab_queue_statistics *s) { (void)w; (void)e; (void)q; (void)s; }
uint64_t xdplab_wire_cpu_ns(const struct xdplab_wire *w) { (void)w; return 0; }
int xdplab_wire_ping(struct xdplab_wire *w, uint32_t e, const uint8_t *t, uint32_t f, uint32_t c, uint64_t i, uint32_t s, uint64_t o, uint32_t *a, uint32_t *b)
{ (void)w; (void)e; (void)t; (void)f; (void)c; (void)i; (void)s; (void)o; (void)a; (void)b; return -ENOSYS; }
struct xdplab_soft_generator *xdplab_soft_generator_open(struct xdplab_wire *w, uint32_t e, const struct xdplab_traffic *t, const struct xdplab_replay *r, struct xdplab_error *error)
{ (void)w; (void)e; (void)t; (void)r; fail(error, XDPLAB_STEP_GENERATE, ENOSYS, "open a generator"); return NULL; }
int xdplab_soft_generator_start(struct xdplab_soft_generator *g, struct xdplab_error *error) { (void)g; return fail(error, XDPLAB_STEP_GENERATE, ENOSYS, "start"); }
void xdplab_soft_generator_stop(struct xdplab_soft_generator *g) { (void)g; }
void xdplab_soft_generator_close(struct xdplab_soft_generator *g) { (void)g; }
void xdplab_soft_generator_set_interval(struct xdplab_soft_generator *g, uint64_t i) { (void)g; (void)i; }
void xdplab_soft_generator_set_size(struct xdplab_soft_generator *g, uint32_t s) { (void)g; (void)s; }
uint64_t xdplab_soft_generator_sent(const struct xdplab_soft_generator *g) { (void)g; return 0; }
uint64_t xdplab_soft_generator_too_long(const struct xdplab_soft_generator *g) { (void)g; return 0; }
int xdplab_soft_generator_running(const struct xdplab_soft_generator *g) { (void)g; return 0; }
int xdplab_soft_generator_fault(const struct xdplab_soft_generator *g) { (void)g; return 0; }
