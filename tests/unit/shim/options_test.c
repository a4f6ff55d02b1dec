// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

static struct options options;

static void parse(const char *text)
{
	assert_true(options_parse(&options, text));
}

static void expect_error(const char *text, const char *words)
{
	assert_false(options_parse(&options, text));
	if (!strstr(options.error, words))
		fail_msg("\"%s\" does not say \"%s\"", options.error, words);
}

static void expect_sidecar(const char *text, bool off, bool log)
{
	parse(text);
	assert_int_equal(options.off, off);
	assert_int_equal(options.log, log);
}

static void openhcl_sidecar(void **state)
{
	(void)state;
	expect_sidecar("", false, false);
	expect_sidecar("OPENHCL_SIDECAR=off", true, false);
	expect_sidecar("OPENHCL_SIDECAR=on", false, false);
	expect_sidecar("OPENHCL_SIDECAR=log", false, true);
	expect_sidecar("OPENHCL_SIDECAR=off,log", false, true);
	expect_sidecar("OPENHCL_SIDECAR=log,on", false, false);
	expect_sidecar("OPENHCL_SIDECAR=log,off,new", true, false);
	expect_sidecar("OPENHCL_SIDECAR=offf,,logg", false, false);
	expect_sidecar("  OPENHCL_SIDECAR=off x=y OPENHCL_SIDECAR=log", false, true);
	expect_sidecar("OPENHCL_SIDECAR", false, false);
	expect_sidecar("OPENHCL_SIDECAR=", false, false);
	expect_sidecar("-- OPENHCL_SIDECAR=off", false, false);
}

static void linux_has_what_follows(void **state)
{
	(void)state;
	parse("OPENHCL_SIDECAR=log -- console=ttyS0 -- sh");
	assert_string_equal(options.linux_line, "console=ttyS0 -- sh");
	parse("OPENHCL_SIDECAR=log");
	assert_string_equal(options.linux_line, "");
	parse("--");
	assert_string_equal(options.linux_line, "");
	parse("--x");
	assert_string_equal(options.linux_line, "");
}

static void lists(void **state)
{
	(void)state;
	parse("outstanding_io=1,3-5 idle_interrupts=2047");
	assert_int_equal(options.outstanding_io.has[1], 1);
	assert_int_equal(options.outstanding_io.has[2], 0);
	assert_int_equal(options.outstanding_io.has[3] + options.outstanding_io.has[5], 2);
	assert_int_equal(options.outstanding_io.has[6], 0);
	assert_int_equal(options.idle_interrupts.has[2047], 1);
	assert_false(options.idle_interrupts.beyond);
	parse("outstanding_io=2040-999999999");
	assert_true(options.outstanding_io.beyond);
	assert_int_equal(options.outstanding_io.has[2047], 1);
	parse("outstanding_io=");
	assert_int_equal(options.outstanding_io.has[0], 0);
}

static void nonsense_is_told(void **state)
{
	(void)state;
	expect_error("outstanding_io=1,x", "outstanding_io=1,x");
	expect_error("outstanding_io=5-3", "outstanding_io=5-3");
	expect_error("outstanding_io=1-", "outstanding_io=1-");
	expect_error("idle_interrupts=1,,2", "1,,2");
	expect_error("timeout_ms=0", "timeout_ms=0");
	expect_error("timeout_ms=1234567890", "timeout_ms=");
	expect_error("timeout_ms=", "timeout_ms=");
}

static void timeout(void **state)
{
	(void)state;
	parse("");
	assert_int_equal(options.timeout_ms, OPTIONS_TIMEOUT_MS);
	parse("timeout_ms=250");
	assert_int_equal(options.timeout_ms, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openhcl_sidecar), cmocka_unit_test(linux_has_what_follows),
		cmocka_unit_test(lists),	   cmocka_unit_test(nonsense_is_told),
		cmocka_unit_test(timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
