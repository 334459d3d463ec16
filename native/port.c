/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <errno.h>

void port_init(struct port *port)
{
	pthread_mutex_init(&port->lock, NULL);
}

void port_destroy(struct port *port)
{
	pthread_mutex_destroy(&port->lock);
}

void port_opened(struct port *port, uint32_t workers)
{
	const struct xdp_operations *operations = port->xdp.operations;

	port->workers = workers;
	port->ended = 0;
	port->hold = (struct xdplab_hold){ .unserved = -1 };
	if (operations->look)
		operations->look(&port->xdp, &port->hold);
	port->hold.loaded = port->hold.program;
	port->open = true;
}

void port_detach(struct port *port)
{
	struct xdplab_verdicts total;

	if (!port->open)
		return;
	pthread_mutex_lock(&port->lock);
	port->xdp.operations->detach(&port->xdp);
	if (!port_verdicts(port, &total))
		port->base = total;
	port->xdp.operations->close(&port->xdp);
	port->open = false;
	pthread_mutex_unlock(&port->lock);
}

void port_worker_ended(struct port *port, uint32_t queue)
{
	const struct xdp_operations *operations;

	pthread_mutex_lock(&port->lock);
	operations = port->xdp.operations;
	port->ended++;
	if (port->open && operations->look) {
		operations->remove_socket(&port->xdp, queue);
		if (port->ended == port->workers) {
			operations->look(&port->xdp, &port->hold);
			port->hold.taken_off = 1;
			operations->detach(&port->xdp);
		}
	}
	pthread_mutex_unlock(&port->lock);
}

int port_look(struct port *port, struct xdplab_hold *hold)
{
	int result = -ENOENT;

	pthread_mutex_lock(&port->lock);
	if (port->open && port->xdp.operations->look) {
		*hold = port->hold;
		if (!hold->taken_off)
			port->xdp.operations->look(&port->xdp, hold);
		result = 0;
	}
	pthread_mutex_unlock(&port->lock);
	return result;
}

int port_verdicts(const struct port *port, struct xdplab_verdicts *verdicts)
{
	int result;

	*verdicts = (struct xdplab_verdicts){ 0 };
	if (port->open && (result = port->xdp.operations->verdicts(&port->xdp, verdicts)))
		return result;
	verdicts->redirected += port->base.redirected;
	verdicts->passed += port->base.passed;
	verdicts->no_socket += port->base.no_socket;
	verdicts->bytes += port->base.bytes;
	return 0;
}
