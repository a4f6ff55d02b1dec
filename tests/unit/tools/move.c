// SPDX-License-Identifier: MIT
/* take, give and reset above a driver that is a table. */
#include "fixture.h"

#include <errno.h>
#include <signal.h>

#include "device.h"

#define CPUS 128

static struct {
	int open_error, move_error;
	int errors[CPUS];      /* of each CPU's move */
	unsigned int asked[CPUS]; /* how often */
	unsigned int calls, opens, largest;
	unsigned long request;
	unsigned int signal_at; /* a signal comes in this call, counted from 1 */
	unsigned int opened[4]; /* nodes */
	bool signal_cuts;	/* and the driver ends this call after one CPU */
	int open_now;
} fake;

static int fake_open(const char *path)
{
	const char *name = strstr(path, "/dev/mshv_vtl_sidecar");

	assert_non_null(name);
	if (fake.open_error)
		return -fake.open_error;
	fake.opened[fake.opens++] = (unsigned int)atoi(name + strlen("/dev/mshv_vtl_sidecar"));
	fake.open_now++;
	return 7;
}

static void fake_close(int fd)
{
	assert_int_equal(fd, 7);
	fake.open_now--;
}

static int fake_move(int fd, unsigned long request, struct sidecar_ioctl_move *move)
{
	struct sidecar_move *list = (struct sidecar_move *)(uintptr_t)move->moves;
	bool cut;

	assert_int_equal(fd, 7);
	assert_int_equal(move->size, sizeof(*move));
	assert_in_range(move->count, 1, SIDECAR_MAX_MOVES);
	fake.request = request;
	fake.largest = move->count > fake.largest ? move->count : fake.largest;
	if (++fake.calls == fake.signal_at)
		raise(SIGINT);
	if (fake.move_error)
		return -fake.move_error;
	cut = fake.calls == fake.signal_at && fake.signal_cuts;
	for (uint32_t i = 0; i < move->count; i++) {
		list[i].error = cut && i ? EINTR : fake.errors[list[i].cpu];
		fake.asked[list[i].cpu]++;
	}
	return 0;
}

static const struct device fake_device = {fake_open, fake_close, fake_move};

/* Nodes of CPUs 0-63 and 100-103; the first and the last folder say enough. */
static struct fixture *make(const char *command)
{
	struct fixture *f = fixture_make(command);

	memset(&fake, 0, sizeof(fake));
	f->ctl.device = &fake_device;
	fixture_add_node(f, 0, 1, 1);
	fixture_add_node(f, 0, 63, 63);
	fixture_add_node(f, 1, 101, 101);
	fixture_add_node(f, 1, 103, 103);
	return f;
}

static void drop(struct fixture *f)
{
	assert_int_equal(fake.open_now, 0);
	fixture_drop(f);
}

static void each_command_has_its_request(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	assert_int_equal(fixture_run(f, take_command, "1", NULL), CTL_OK);
	assert_int_equal(fake.request, SIDECAR_IOC_TAKE);
	assert_int_equal(fixture_run(f, give_command, "1", NULL), CTL_OK);
	assert_int_equal(fake.request, SIDECAR_IOC_GIVE);
	assert_int_equal(fixture_run(f, reset_command, "1", NULL), CTL_OK);
	assert_int_equal(fake.request, SIDECAR_IOC_RESET);
	assert_string_equal(fixture_out(f), "1\n1\n1\n");
	assert_string_equal(fixture_err(f), "");
	drop(f);
}

static void every_cpu_of_every_node_is_asked_for_once(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	assert_int_equal(fixture_run(f, take_command, "102,1-63,101", NULL), CTL_OK);
	assert_string_equal(fixture_out(f), "1-63,101-102\n");
	assert_string_equal(fixture_err(f), "");
	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		assert_int_equal(fake.asked[cpu], cpu < 64 || cpu == 101 || cpu == 102);
	assert_int_equal(fake.opens, 2);
	assert_int_equal(fake.opened[0], 0);
	assert_int_equal(fake.opened[1], 1);
	assert_int_equal(fake.largest, 16);
	drop(f);
}

static void refusals_are_told_by_reason(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	fake.errors[2] = EEXIST;
	fake.errors[4] = ETIMEDOUT;
	fake.errors[20] = EEXIST;
	fake.errors[101] = ENOMEM;
	assert_int_equal(fixture_run(f, take_command, "1-5,20,101", NULL), CTL_FAILED);
	assert_string_equal(fixture_out(f), "1,3,5\n");
	assert_string_equal(
		fixture_err(f),
		"sidecarctl: take: CPUs 2,20: already in the sidecar\n"
		"sidecarctl: take: CPU 4: did not start in the sidecar in time, and stays Linux's\n"
		"sidecarctl: take: CPU 101: Cannot allocate memory\n");
	drop(f);
}

static void the_same_error_means_something_else_for_give(void **state)
{
	struct fixture *f = make("give");

	(void)state;
	fake.errors[2] = EBUSY;
	fake.errors[3] = ENOENT;
	assert_int_equal(fixture_run(f, give_command, "2-3", NULL), CTL_FAILED);
	assert_string_equal(fixture_out(f), "");
	assert_string_equal(fixture_err(f),
			    "sidecarctl: give: CPU 2: a command is in flight: the process that "
			    "owns it must end that first\n"
			    "sidecarctl: give: CPU 3: not in the sidecar\n");
	drop(f);
}

static void cpus_of_no_node_and_base_cpus_are_refused_and_the_rest_is_done(void **state)
{
	struct fixture *f = make("give");

	(void)state;
	assert_int_equal(fixture_run(f, give_command, "0-2,64,99-101", NULL), CTL_FAILED);
	assert_string_equal(fixture_out(f), "1-2,101\n");
	assert_string_equal(
		fixture_err(f),
		"sidecarctl: give: CPUs 0,100: it is its node's base CPU, which is always Linux's\n"
		"sidecarctl: give: CPUs 64,99: no node has it\n");
	assert_int_equal(fake.asked[0] + fake.asked[64] + fake.asked[99] + fake.asked[100], 0);
	drop(f);
}

static void assert_whole(int open_error, int move_error, int status, const char *text)
{
	struct fixture *f = make("take");

	fake.open_error = open_error;
	fake.move_error = move_error;
	assert_int_equal(fixture_run(f, take_command, "1-40,101", NULL), status);
	assert_string_equal(fixture_out(f), "");
	assert_non_null(strstr(fixture_err(f), "/dev/mshv_vtl_sidecar0: "));
	assert_non_null(strstr(fixture_err(f), text));
	assert_ptr_equal(strchr(fixture_err(f), '\n'), strrchr(fixture_err(f), '\n'));
	assert_in_range(fake.calls, 0, 1);
	drop(f);
}

static void a_driver_that_refuses_all_is_asked_once(void **state)
{
	(void)state;
	assert_whole(EACCES, 0, CTL_DENIED, "Permission denied");
	assert_whole(ENOENT, 0, CTL_ABSENT, "No such file");
	assert_whole(0, EPERM, CTL_DENIED, "it takes CAP_SYS_ADMIN to move CPUs");
	assert_whole(0, ENOTTY, CTL_UNKNOWN, "the driver does not know the operation");
	assert_whole(0, EFAULT, CTL_FAILED, "Bad address");
}

static void a_signal_ends_it_after_the_chunk(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	fake.signal_at = 2;
	assert_int_equal(fixture_run(f, take_command, "1-40,101", NULL), CTL_INTERRUPTED);
	assert_int_equal(fake.calls, 2);
	assert_string_equal(fixture_out(f), "1-32\n");
	assert_string_equal(fixture_err(f), "sidecarctl: take: interrupted: 32 of 41 CPUs taken; "
					    "as before: 33-40,101\n");
	drop(f);
}

static void a_signal_that_the_driver_sees_ends_it_within_the_chunk(void **state)
{
	struct fixture *f = make("give");

	(void)state;
	fake.signal_at = 1;
	fake.signal_cuts = true;
	fake.errors[1] = EBUSY;
	assert_int_equal(fixture_run(f, give_command, "1-20", NULL), CTL_INTERRUPTED);
	assert_string_equal(fixture_out(f), "");
	assert_non_null(strstr(fixture_err(f), "CPU 1: a command is in flight"));
	assert_non_null(strstr(fixture_err(f), "0 of 20 CPUs given; as before: 2-20\n"));
	drop(f);
}

static void a_signal_before_anything_is_no_failure_of_the_driver(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	fake.signal_at = 1;
	fake.move_error = EINTR;
	assert_int_equal(fixture_run(f, take_command, "1-3", NULL), CTL_INTERRUPTED);
	assert_string_equal(fixture_out(f), "");
	assert_string_equal(fixture_err(f), "sidecarctl: take: interrupted: 0 of 3 CPUs taken; "
					    "as before: 1-3\n");
	drop(f);
}

static void a_signal_in_the_last_chunk_changes_nothing(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	fake.signal_at = 1;
	assert_int_equal(fixture_run(f, take_command, "1-3", NULL), CTL_OK);
	assert_string_equal(fixture_out(f), "1-3\n");
	drop(f);
}

static void progress_is_what_has_happened(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	assert_int_equal(fixture_run(f, take_command, "--progress", "1-33,101", NULL), CTL_OK);
	assert_string_equal(fixture_err(f), "take: 16 of 34 CPUs\ntake: 32 of 34 CPUs\n"
					    "take: 33 of 34 CPUs\ntake: 34 of 34 CPUs\n");
	assert_string_equal(fixture_out(f), "1-33,101\n");
	drop(f);
}

static void arguments_that_are_wrong(void **state)
{
	struct fixture *f = make("take");

	(void)state;
	assert_int_equal(fixture_run(f, take_command, NULL), CTL_USAGE);
	assert_int_equal(fixture_run(f, take_command, "1", "2", NULL), CTL_USAGE);
	assert_int_equal(fixture_run(f, take_command, "1,x", NULL), CTL_USAGE);
	assert_non_null(strstr(fixture_err(f), "'x' is neither a number nor a range N-M"));
	assert_int_equal(fake.opens, 0);
	assert_string_equal(fixture_out(f), "");
	drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_has_its_request),
		cmocka_unit_test(every_cpu_of_every_node_is_asked_for_once),
		cmocka_unit_test(refusals_are_told_by_reason),
		cmocka_unit_test(the_same_error_means_something_else_for_give),
		cmocka_unit_test(cpus_of_no_node_and_base_cpus_are_refused_and_the_rest_is_done),
		cmocka_unit_test(a_driver_that_refuses_all_is_asked_once),
		cmocka_unit_test(a_signal_ends_it_after_the_chunk),
		cmocka_unit_test(a_signal_that_the_driver_sees_ends_it_within_the_chunk),
		cmocka_unit_test(a_signal_before_anything_is_no_failure_of_the_driver),
		cmocka_unit_test(a_signal_in_the_last_chunk_changes_nothing),
		cmocka_unit_test(progress_is_what_has_happened),
		cmocka_unit_test(arguments_that_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
