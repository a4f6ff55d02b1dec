/* SPDX-License-Identifier: MIT */
/* TAP for the C tests that run in the VM. The plan comes last: a program that dies has none. */
#ifndef TESTS_VM_TAP_H
#define TESTS_VM_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count;
static int tap_failures;

/* Counts one case and gives back its condition, so that a test can stop where it makes no sense. */
__attribute__((format(printf, 2, 3), unused))
static bool tap_check(bool condition, const char *name, ...)
{
	va_list args;

	tap_failures += !condition;
	printf("%sok %d - ", condition ? "" : "not ", ++tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return condition;
}

/* A case that compares numbers and shows both when they differ. */
__attribute__((unused))
static bool tap_equal(unsigned long long got, unsigned long long wanted, const char *name)
{
	bool same = tap_check(got == wanted, "%s", name);

	if (!same) {
		printf("# got %#llx, wanted %#llx\n", got, wanted);
		fflush(stdout);
	}
	return same;
}

__attribute__((format(printf, 1, 2), unused))
static void tap_note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

__attribute__((unused))
static void tap_skip(const char *name, const char *reason)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, name, reason);
}

/* The last call of main: return tap_done(); */
__attribute__((unused))
static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures ? 1 : 0;
}

#endif
