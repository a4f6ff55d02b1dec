// SPDX-License-Identifier: MIT
/* Tracepoints through tracefs: every operation is there as often as it was done, with its fields. */
#include "device.h"

#define TRACING "/sys/kernel/tracing/"
#define EVENTS TRACING "events/sidecar/"
#define TIMES 7u

static char trace[1 << 20];

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

static void read_file(const char *path, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	while (used + 1 < size && (got = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	close(fd);
	text[used] = '\0';
}

/* ---- the events ------------------------------------------------------------------------------ */

static const struct {
	const char *name, *fields;
} events[] = {
	{"start", "cpu command status claim pid error"},
	{"stop", "cpu command status claim pid error"},
	{"complete", "cpu command status claim pid error"},
	{"convert", "cpu status claim error"},
	{"take", "cpu status claim error"},
	{"give", "cpu status claim error"},
	{"fail", "cpu claim pid reason"},
	{"claim", "cpu claim pid"},
	{"release", "cpu claim pid"},
};

/* "\tfield:u32 cpu;\toffset:8;\tsize:4;\tsigned:0;", and the same name in the print format. */
static bool has_field(const char *format, const char *field, size_t length)
{
	char declared[64], array[64], printed[64];

	snprintf(declared, sizeof(declared), " %.*s;", (int)length, field);
	snprintf(array, sizeof(array), " %.*s[", (int)length, field);
	snprintf(printed, sizeof(printed), "REC->%.*s", (int)length, field);
	return (strstr(format, declared) || strstr(format, array)) && strstr(format, printed);
}

/* A name of the module's would mean nothing to perf and trace-cmd. */
static void check_format(const char *name, const char *fields)
{
	static char format[8192];
	char path[128];
	bool all = true;

	snprintf(path, sizeof(path), EVENTS "%s/format", name);
	read_file(path, format, sizeof(format));
	while (*fields) {
		size_t length = strcspn(fields, " ");

		all = all && has_field(format, fields, length);
		fields += length + strspn(fields + length, " ");
	}
	if (!tap_check(all && strstr(format, "print fmt") && !strstr(format, "SCDRV_") &&
			       !strstr(format, "SIDECAR_"),
		       "sidecar:%s has its fields", name))
		tap_note("%s", format);
}

/* ---- what was traced ------------------------------------------------------------------------- */

static void trace_begin(void)
{
	tap_check(write_file(EVENTS "enable", "1") && write_file(TRACING "trace", "\n"),
		  "the events are switched on");
}

static void trace_end(void)
{
	read_file(TRACING "trace", trace, sizeof(trace));
}

/* Lines of an event that hold all the texts; NULL ends them. */
static unsigned int count(const char *event, const char *first, const char *second)
{
	unsigned int found = 0;
	char name[32], line[512];
	const char *at = trace, *end;

	snprintf(name, sizeof(name), ": %s: ", event);
	for (; (end = strchr(at, '\n')); at = end + 1) {
		size_t length = (size_t)(end - at) < sizeof(line) ? (size_t)(end - at)
								  : sizeof(line) - 1;

		snprintf(line, sizeof(line), "%.*s ", (int)length, at);
		found += *line != '#' && strstr(line, name) && strstr(line, first) &&
			 strstr(line, second);
	}
	return found;
}

/* With this process as the owner, whatever the fields before it. */
static unsigned int count_mine(const char *event, const char *fields)
{
	char pid[32];

	snprintf(pid, sizeof(pid), " pid=%d ", getpid());
	return count(event, fields, pid);
}

static void show_if(bool wrong)
{
	if (wrong)
		fputs(trace, stdout);
}

/* ---- operations ------------------------------------------------------------------------------ */

static int set_online(const char *text)
{
	return write_file("/sys/devices/system/cpu/cpu3/online", text) ? 0 : errno;
}

/* One CPU by TAKE or GIVE; the errno of its entry. */
static int move(struct device *device, unsigned long request, unsigned int cpu)
{
	struct sidecar_move entry = {.cpu = cpu};
	struct sidecar_ioctl_move argument = {
		.size = sizeof(argument), .count = 1, .moves = (uintptr_t)&entry};

	return control(device->fd, request, (unsigned long)&argument) ? -1 : entry.error;
}

static void do_moves(struct device *device)
{
	tap_equal(move(device, SIDECAR_IOC_TAKE, 3), 0, "CPU 3 is taken");
	tap_equal(move(device, SIDECAR_IOC_TAKE, 3), EEXIST, "but not twice");
	tap_equal(move(device, SIDECAR_IOC_GIVE, 3), 0, "and given");
	tap_equal(move(device, SIDECAR_IOC_GIVE, 3), ENOENT, "but not twice");
}

static void check_moves(void)
{
	tap_equal(count("take", "cpu=3 status=IDLE claim=AVAIL error=0 ", ""), 1, "take");
	tap_equal(count("take", "cpu=3 status=IDLE claim=AVAIL error=-17 ", ""), 1, "no take");
	tap_equal(count("give", "cpu=3 status=REMOVED claim=REMOVED error=0 ", ""), 1, "give");
	tap_equal(count("give", "cpu=3 status=REMOVED claim=REMOVED error=-2 ", ""), 1, "no give");
	tap_equal(count("take", "", "") + count("give", "", ""), 4, "and no other");
}

static void do_operations(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, endless_guest);

	for (unsigned int i = 0; i < TIMES; i++)
		run(&device, 1, SIDECAR_COMMAND_NONE);
	run(&device, 1, 77);
	start(&device, 2, SIDECAR_COMMAND_RUN_VP);
	sleep_ms(100);
	tap_check(set_online("1") == 0, "CPU 3 becomes Linux's");
	do_moves(&device);
	tap_check(!write_file("/sys/devices/system/cpu/cpu2/online", "1"), "CPU 2 is busy");
	control(device.fd, SIDECAR_IOC_STOP, 2);
	tap_equal(wait_completion(&device, 5000), 2, "a run is stopped");
	device_close(&device);
	close(partition);
}

static void check_operations(void)
{
	unsigned int failures = (unsigned int)tap_failures;

	tap_equal(count("claim", "", ""), 2, "two VPs were claimed");
	tap_equal(count_mine("claim", "cpu=1 claim=CLAIMING"), 1, "CPU 1 by this process");
	tap_equal(count_mine("claim", "cpu=2 claim=CLAIMING"), 1, "CPU 2, too");
	tap_equal(count("start", "", ""), TIMES + 2, "each command was started");
	tap_equal(count_mine("start", "cpu=1 command=NONE "), TIMES, "those of CPU 1");
	tap_equal(count_mine("start", "cpu=1 command=0x4d "), 1, "the one that does not exist");
	tap_equal(count_mine("start", "cpu=2 command=RUN_VP status=RUN claim=ASYNC pid="), 1,
		  "and the run");
	tap_equal(count("stop", "", ""), 1, "one command was stopped");
	tap_equal(count_mine("stop", "cpu=2 command=RUN_VP status=STOP claim=ASYNC_STOPPING "), 1,
		  "which was the run");
	tap_equal(count("complete", "", ""), TIMES + 2, "each has ended");
	tap_equal(count_mine("complete", "cpu=1 command=NONE status=IDLE claim=AVAIL "), TIMES,
		  "those of CPU 1");
	tap_equal(count_mine("complete",
			     "cpu=2 command=RUN_VP status=IDLE claim=ASYNC_STOPPED "),
		  1, "and the run");
	tap_equal(count("complete", "error=0", ""), TIMES + 2, "without an error");
	tap_equal(count("release", "", ""), 2, "both VPs were given up");
	tap_equal(count_mine("release", "cpu=1 claim=AVAIL"), 1, "CPU 1");
	tap_equal(count_mine("release", "cpu=2 claim=AVAIL"), 1, "CPU 2");
	tap_equal(count("convert", "", ""), 3, "three conversions were asked for");
	tap_equal(count("convert", "cpu=3 status=REMOVED claim=REMOVED error=0 ", ""), 2,
		  "CPU 3 became Linux's twice, once by GIVE");
	tap_equal(count("convert", "cpu=2 status=RUN claim=ASYNC error=-16 ", ""), 1,
		  "CPU 2 was busy");
	check_moves();
	tap_equal(count("fail", "", ""), 0, "no CPU has failed");
	show_if((unsigned int)tap_failures != failures);
}

static void test_operations(void)
{
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		check_format(events[i].name, events[i].fields);
	trace_begin();
	do_operations();
	trace_end();
	check_operations();
	write_file(EVENTS "enable", "0");
	write_file("/sys/devices/system/cpu/cpu3/online", "0");
	tap_equal(system("rmmod sidecar"), 0, "rmmod");
	tap_check(access(EVENTS, F_OK) != 0, "the events are gone with the module");
}

/* The sidecar kernel of driver_images.py in which CPU 2 dies of its first command. */
static void test_failure(void)
{
	struct device device;
	unsigned int failures = (unsigned int)tap_failures;

	tap_equal(insert_module("cpus=1-3 firmware=fault.elf timeout_ms=500"), 0, "insmod");
	trace_begin();
	device = device_open();
	tap_equal(run(&device, 2, SIDECAR_COMMAND_NONE), ETIMEDOUT, "a CPU dies");
	device_close(&device);
	trace_end();
	tap_equal(count("fail", "", ""), 1, "one CPU has failed");
	tap_equal(count_mine("fail", "cpu=2 "), 1, "CPU 2, while this process had it");
	tap_equal(count("fail", " reason=took a fault in the sidecar kernel ", ""), 1, "and why");
	tap_equal(count("complete", "cpu=2 command=NONE status=REMOVED", "error=-110"), 1,
		  "its command has ended with ETIMEDOUT");
	show_if((unsigned int)tap_failures != failures);
	write_file(EVENTS "enable", "0");
	tap_equal(system("rmmod sidecar"), 0, "rmmod");
}

int main(void)
{
	test_operations();
	test_failure();
	return tap_done();
}
