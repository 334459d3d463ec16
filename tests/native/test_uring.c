/* SPDX-License-Identifier: Apache-2.0
 *
 * Polls: what they report, and that they can be taken back at any moment. Kicks: that they arrive.
 */
#include "wait/uring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { SKIPPED = 77 }; /* as meson has it */

static void open_ring(struct uring *uring, bool sqpoll)
{
	int result = sqpoll ? uring_open_sqpoll(uring, 1) : uring_open(uring);

	if (result == -EPERM || result == -ENOSYS || result == -EINVAL) {
		printf("io_uring can't be had here: %s\n", strerror(-result));
		exit(SKIPPED);
	}
	CHECK(!result, "%s", strerror(-result));
}

static void make_readable(int event)
{
	CHECK(!eventfd_write(event, 1), "%s", strerror(errno));
}

static void it_reports_again_and_again_without_being_armed_again(int event)
{
	struct uring uring;

	open_ring(&uring, false);
	uring_arm(&uring, event, true);
	CHECK(uring_wait(&uring, 0) == 0, "nothing came");
	for (int i = 0; i < 5; i++) {
		make_readable(event);
		CHECK(uring_wait(&uring, 1000000000) == 1, "report %d did not come", i);
		CHECK(uring.armed, "it ended with report %d", i);
	}
	uring_close(&uring);
}

/* Here every wait would last for ever if the poll were left armed. */
static void it_can_be_taken_back(int event, int pending)
{
	struct uring uring;

	open_ring(&uring, false);
	uring_arm(&uring, event, true);
	uring_wait(&uring, 0);
	for (int i = 0; i < pending; i++)
		make_readable(event);
	CHECK(uring_disarm(&uring) > 0, "it took no system call");
	CHECK(!uring.armed, "it is still armed");
	CHECK(uring_disarm(&uring) == 0, "it was taken back twice");
	make_readable(event);
	CHECK(uring_wait(&uring, 0) == 0, "it still reports");
	uring_arm(&uring, event, true);
	CHECK(uring_wait(&uring, 1000000000) == 1, "it can't be armed again");
	uring_close(&uring);
}

static void it_can_be_taken_back_before_it_was_submitted(int event)
{
	struct uring uring;

	open_ring(&uring, false);
	uring_arm(&uring, event, true);
	uring_close(&uring);
}

static void a_oneshot_poll_reports_once(int event)
{
	struct uring uring;

	open_ring(&uring, false);
	uring_arm(&uring, event, false);
	make_readable(event);
	CHECK(uring_wait(&uring, 1000000000), "it did not report");
	CHECK(!uring.armed, "it went on");
	CHECK(!uring_wait(&uring, 0), "it reported again");
	uring_close(&uring);
}

/* A kick is a message without bytes, which a socket of this kind passes on. */
static bool was_kicked(int socket)
{
	struct pollfd readiness = { .fd = socket, .events = POLLIN };

	return poll(&readiness, 1, 1000) == 1 && recv(socket, NULL, 0, 0) == 0;
}

static bool kick(struct uring *uring, int socket)
{
	struct io_uring_sqe *entry = uring_kick(uring);

	if (!entry)
		return false;
	io_uring_prep_send(entry, socket, NULL, 0, MSG_DONTWAIT);
	uring_queue_kick(uring, entry);
	return true;
}

static void a_kick_arrives_once(bool sqpoll)
{
	struct uring uring;
	char byte;
	int ends[2];

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), "%s", strerror(errno));
	open_ring(&uring, sqpoll);
	for (int i = 0; i < 3; i++) {
		CHECK(kick(&uring, ends[0]), "kick %d was not queued", i);
		CHECK(!kick(&uring, ends[0]), "kick %d was queued twice", i);
		CHECK(uring_submit(&uring) <= 1, "kick %d took several system calls", i);
		CHECK(uring_submit(&uring) == 0, "kick %d was submitted twice", i);
		CHECK(was_kicked(ends[1]), "kick %d did not arrive", i);
		/* A submission thread frees the entry after the message went. */
		while (io_uring_sq_ready(&uring.ring))
			;
		CHECK(recv(ends[1], &byte, 1, MSG_DONTWAIT) < 0, "kick %d arrived twice", i);
	}
	uring_close(&uring);
	close(ends[0]);
	close(ends[1]);
}

static void a_submission_thread_arms_and_reports(int event)
{
	struct uring uring;

	open_ring(&uring, true);
	uring_arm(&uring, event, true);
	uring_submit(&uring);
	for (int i = 0; i < 3; i++) {
		make_readable(event);
		while (!uring_reap(&uring))
			;
	}
	CHECK(uring.armed, "it ended");
	CHECK(uring_disarm(&uring) > 0, "it took no system call");
	uring_close(&uring);
}

int main(void)
{
	int event = eventfd(0, EFD_CLOEXEC);
	eventfd_t value;

	it_reports_again_and_again_without_being_armed_again(event);
	for (int pending = 0; pending < 3; pending++) {
		eventfd_read(event, &value);
		it_can_be_taken_back(event, pending);
	}
	it_can_be_taken_back_before_it_was_submitted(event);
	a_oneshot_poll_reports_once(event);
	a_kick_arrives_once(false);
	a_kick_arrives_once(true);
	a_submission_thread_arms_and_reports(event);
	close(event);
	return 0;
}
