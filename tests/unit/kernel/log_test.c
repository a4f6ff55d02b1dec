// SPDX-License-Identifier: MIT
#include "suite.h"

#include "console/log.h"

static struct sidecar_state_page page;
static struct cpu cpu;

static int start(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	cpu = (struct cpu){.vp_index = 7, .state = &page};
	fake_serial_size = 0;
	return 0;
}

static void test_line(void **state)
{
	(void)state;
	log_line(&cpu, "value %u", 42u);
	assert_text(page.log.text, page.log.head, "VP 7: value 42\n");
	assert_text(fake_serial, fake_serial_size, "VP 7: value 42\n");
	log_line(&cpu, "more");
	assert_text(page.log.text, page.log.head, "VP 7: value 42\nVP 7: more\n");
}

static void test_without_state(void **state)
{
	(void)state;
	log_line(NULL, "booting");
	assert_text(fake_serial, fake_serial_size, "booting\n");
	cpu.state = NULL;
	log_line(&cpu, "booting still");
	assert_text(fake_serial, fake_serial_size, "booting still\n");
	assert_int_equal(page.log.head, 0);
}

static void test_long_line(void **state)
{
	char text[LOG_LINE_SIZE * 2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_line(&cpu, "%s", text);
	assert_int_equal(page.log.head, LOG_LINE_SIZE);
	assert_int_equal(page.log.text[LOG_LINE_SIZE - 1], '\n');
	assert_int_equal(page.log.text[LOG_LINE_SIZE - 2], 'x');
}

/* head counts every byte; the text goes round. */
static void test_ring(void **state)
{
	struct sidecar_log *log = &page.log;

	(void)state;
	log->head = SIDECAR_LOG_SIZE * 3 - 2;
	log_ring_append(log, "abcde", 5);
	assert_int_equal(log->head, SIDECAR_LOG_SIZE * 3 + 3);
	assert_memory_equal(log->text + SIDECAR_LOG_SIZE - 2, "ab", 2);
	assert_memory_equal(log->text, "cde", 3);
	assert_int_equal(log->text[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, start),
		cmocka_unit_test_setup(test_without_state, start),
		cmocka_unit_test_setup(test_long_line, start),
		cmocka_unit_test_setup(test_ring, start),
	};

	return cmocka_run_group_tests_name("kernel_log", tests, NULL, NULL);
}
