/* SPDX-License-Identifier: Apache-2.0
 *
 * A Python interpreter with a sanitizer's run time linked in, for scripts/sanitize.
 *
 * The run time must come first into a process. Preloaded, it would come into ping, ip and all else that a test starts,
 * too; linked in, it comes into the interpreters that tests start as sys.executable, and into nothing else.
 */
#include <Python.h>

#ifdef __SANITIZE_ADDRESS__
#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>

/* A leak check at every exit crashes now and then in a child that ends while its threads run on, which some tests let
 * happen. So only the interpreter that is told to looks for leaks, and those it starts don't. */
static pid_t checked;

static void check_leaks(void)
{
	if (getpid() == checked)
		__lsan_do_recoverable_leak_check();
}

/* Beside AddressSanitizer, UndefinedBehaviorSanitizer heeds no log_path, and pytest keeps what is said on the error
 * stream by a process that this ends. Both have a function of this name. */
static void report_undefined_behaviour_to(const char *path)
{
	void *library = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void (*set_report_path)(const char *) =
		library ? (void (*)(const char *))dlsym(library, "__sanitizer_set_report_path") : NULL;

	if (!set_report_path) {
		fputs("no UndefinedBehaviorSanitizer to be found\n", stderr);
		exit(1);
	}
	set_report_path(path);
}
#endif

int main(int argc, char **argv)
{
#ifdef __SANITIZE_ADDRESS__
	if (getenv("REPORTS"))
		report_undefined_behaviour_to(getenv("REPORTS"));
	if (getenv("CHECK_LEAKS")) {
		unsetenv("CHECK_LEAKS");
		checked = getpid();
		atexit(check_leaks);
	}
#endif
	return Py_BytesMain(argc, argv);
}
