/* SPDX-License-Identifier: Apache-2.0
 *
 * The multishot poll: what it reports, and that it can be taken back at any moment.
 */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"

enum { SKIPPED = 77 }; /* as meson has it */

static struct uring open_ring(void)
{
	struct uring uring;
	int result = uring_open(&uring);

	if (result == -EPERM || result == -ENOSYS || result == -EINVAL) {
		printf("io_uring can't be had here: %s\n", strerror(-result));
		exit(SKIPPED);
	}
	CHECK(!result, "%s", strerror(-result));
	return uring;
}

static void make_readable(int event)
{
	CHECK(!eventfd_write(event, 1), "%s", strerror(errno));
}

static void it_reports_again_and_again_without_being_armed_again(int event)
{
	struct uring uring = open_ring();

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
	struct uring uring = open_ring();

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
	struct uring uring = open_ring();

	uring_arm(&uring, event, true);
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
	close(event);
	return 0;
}
