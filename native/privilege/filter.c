/* SPDX-License-Identifier: Apache-2.0 */
#include "privilege/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/error.h"

#define NAMESPACES                                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
/* A process created with this flag becomes a child of the session's parent. */
#define NOT_A_CHILD CLONE_PARENT

struct rule {
	int call;
	uint32_t conditions;
	struct scmp_arg_cmp condition[2];
};

#define ANY(name) { .call = SCMP_SYS(name) }
#define WHERE(name, argument) { .call = SCMP_SYS(name), .conditions = 1, .condition = { argument } }
#define WITHOUT(argument, bits) { .arg = (argument), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits), .datum_b = 0 }
#define EQUAL(argument, value) { .arg = (argument), .op = SCMP_CMP_EQ, .datum_a = (value) }

/* System calls that an interpreter needs to compute and to end. */
static const struct rule parser[] = {
	ANY(read), ANY(write), ANY(close), ANY(lseek), ANY(fstat), ANY(newfstatat), ANY(pread64),
	ANY(munmap), ANY(mremap), ANY(brk), ANY(madvise), WHERE(mmap, WITHOUT(2, PROT_EXEC)),
	WHERE(mprotect, WITHOUT(2, PROT_EXEC)),
	ANY(futex), ANY(getpid), ANY(gettid), ANY(getrandom), ANY(clock_gettime), ANY(rt_sigprocmask), ANY(rt_sigaction),
	ANY(rt_sigreturn), ANY(sigaltstack), ANY(restart_syscall), ANY(exit), ANY(exit_group),
};

/* Further calls of a session. It may read the files that its user may read. */
static const struct rule session[] = {
	ANY(bpf),
	{ .call = SCMP_SYS(socket), .conditions = 2, .condition = { EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_GENERIC) } },
	WHERE(socketpair, EQUAL(0, AF_UNIX)), /* within pyroute2, to wake itself */
	ANY(bind), ANY(getsockname), ANY(getsockopt), ANY(setsockopt),
	ANY(sendto), ANY(sendmsg), ANY(recvfrom), ANY(recvmsg), ANY(shutdown),
	ANY(poll), ANY(ppoll), ANY(select), ANY(pselect6),
	ANY(epoll_create1), ANY(epoll_ctl), ANY(epoll_wait), ANY(epoll_pwait), ANY(eventfd2),
	WHERE(openat, WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)), WHERE(open, WITHOUT(1, O_ACCMODE | O_CREAT | O_TRUNC)),
	ANY(stat), ANY(statx), ANY(readlink), ANY(readlinkat), ANY(getdents64), ANY(access), ANY(faccessat), ANY(faccessat2),
	ANY(getcwd), ANY(ioctl), ANY(fcntl), ANY(dup), ANY(dup2), ANY(dup3), ANY(pipe2), ANY(close_range),
	ANY(getuid), ANY(geteuid), ANY(getgid), ANY(getegid), ANY(getppid), ANY(uname), ANY(sysinfo),
	WHERE(clone, WITHOUT(0, NAMESPACES | NOT_A_CHILD)), ANY(wait4), ANY(set_robust_list), ANY(rseq), ANY(prctl), ANY(seccomp),
	ANY(capset), /* and seccomp: to confine its parser further */
	ANY(sched_getaffinity), ANY(sched_setaffinity), ANY(sched_yield), ANY(getcpu), ANY(membarrier),
	ANY(nanosleep), ANY(clock_nanosleep), ANY(clock_getres), ANY(gettimeofday), ANY(getrlimit),
	ANY(prlimit64), ANY(setitimer),
};

/* Calls of the keeper of a lab process, in addition to the parser's. */
static const struct rule keeper[] = {
	ANY(kill), ANY(wait4), ANY(poll), ANY(ppoll), ANY(select), ANY(pselect6), ANY(sendto), ANY(sendmsg), ANY(recvfrom),
	WHERE(openat, WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)), WHERE(open, WITHOUT(1, O_ACCMODE | O_CREAT | O_TRUNC)),
	ANY(stat), ANY(statx), ANY(getdents64), ANY(ioctl), ANY(fcntl), ANY(nanosleep), ANY(clock_nanosleep),
};

static int add(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].conditions,
						    rules[i].condition);

		/* A call that this architecture lacks needs no rule. */
		if (result && result != -EDOM)
			return result;
	}
	return 0;
}

int filter_load(uint32_t wanted, struct xdplab_error *error)
{
	scmp_filter_ctx filter;
	int result;

	if (wanted == XDPLAB_FILTER_NONE)
		return 0;
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return fail(error, XDPLAB_STEP_NONE, ENOMEM, "make a filter of system calls");
	result = add(filter, parser, sizeof(parser) / sizeof(*parser));
	if (!result && wanted == XDPLAB_FILTER_SESSION)
		result = add(filter, session, sizeof(session) / sizeof(*session));
	if (!result && wanted == XDPLAB_FILTER_KEEPER)
		result = add(filter, keeper, sizeof(keeper) / sizeof(*keeper));
	/* A filter can't see its flags; if it fails, the C library uses clone. */
	if (!result && wanted == XDPLAB_FILTER_SESSION)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result ? fail(error, XDPLAB_STEP_NONE, -result, "filter system calls") : 0;
}
