/*
 * ptrace() for the guests' kernel, on processors with more registers than it knows.
 *
 * The kernel keeps room for the registers of AVX-512, and no more. It reads as many as fit, but Linux takes a process'
 * registers back only whole (xstateregs_set in arch/x86/kernel/fpu/regset.c), which with AMX are four times as long:
 * the first program that a guest starts dies with SIGSEGV. So the rest, which nothing in a guest uses, is set to
 * what it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static long (*next)(int, ...);

/* More than any processor has. */
static uint64_t whole[8192];

__attribute__((constructor)) static void find_next(void)
{
	next = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	int pid = va_arg(arguments, int);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	long result = next(request, pid, address, data);
	if (result == 0 || request != PTRACE_SETREGSET || (uintptr_t)address != NT_X86_XSTATE)
		return result;

	int error = errno;
	struct iovec *given = data;
	struct iovec all = {.iov_base = whole, .iov_len = sizeof whole};
	if (next(PTRACE_GETREGSET, pid, address, &all) != 0 || all.iov_len <= given->iov_len) {
		errno = error;
		return result;
	}
	memcpy(whole, given->iov_base, given->iov_len);
	return next(PTRACE_SETREGSET, pid, address, &all);
}
