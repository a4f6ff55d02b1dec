// SPDX-License-Identifier: MIT
/* sidecarctl: the sidecar CPUs of this machine, from a shell. sidecarctl(8) is its contract. */
#include <errno.h>
#include <string.h>

#include <sidecar/sidecar.h>

#include "ctl.h"
#include "device.h"

static const struct {
	const char *name;
	ctl_command *run;
	const char *usage;
} commands[] = {
	{"status", status_command,
	 "status [--json]\n"
	 "    every sidecar CPU: its state, owner, counters and last error\n"},
	{"run", run_command,
	 "run [--cpu N] [--memory SIZE] [--load ADDRESS] [--entry ADDRESS]\n"
	 "      [--input FILE] [--deadline SECONDS] GUEST\n"
	 "    runs a flat guest image; what it prints goes to stdout\n"},
	{"take", take_command,
	 "take [--progress] CPUS\n"
	 "    from Linux to the sidecar; CPUS as in 1-3,7\n"},
	{"give", give_command,
	 "give [--progress] CPUS\n"
	 "    from the sidecar to Linux\n"},
	{"reset", reset_command,
	 "reset [--progress] CPUS\n"
	 "    begin anew in the sidecar, whatever they do\n"},
	{"log", log_command,
	 "log [--fault] [CPUS]\n"
	 "    what the sidecar kernel said, or its report of a fault\n"},
	{"top", top_command,
	 "top [--interval SECONDS] [--count N] [--batch]\n"
	 "    entries and exits per second, again and again\n"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char exit_statuses[] =
	"Exit status: 0 done; 1 refused or failed; 2 usage; 3 no sidecar; 4 permission;\n"
	"5 interrupted; 6 the driver is too old. run: 10 deadline; 11 triple fault;\n"
	"12 the guest wants what is not served; 13 the CPU is lost.\n";

static void print_help(FILE *out)
{
	fputs("usage: sidecarctl COMMAND [OPTION…] [ARGUMENT]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %s", commands[i].usage);
	fprintf(out, "\n  --help, also of one command    --version\n\n%s", exit_statuses);
}

/* The whole command line may be a question for help, wherever it is asked. */
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help"))
			return true;
	return false;
}

static int run_one(struct ctl *ctl, size_t i, int argc, char **argv)
{
	static char name[] = "sidecarctl"; /* getopt_long() begins its messages with argv[0] */

	if (asks_for_help(argc, argv)) {
		fprintf(ctl->out, "usage: sidecarctl %s\n%s", commands[i].usage, exit_statuses);
		return CTL_OK;
	}
	ctl->command = commands[i].name;
	argv[0] = name;
	return commands[i].run(ctl, argc, argv);
}

static int dispatch(struct ctl *ctl, int argc, char **argv)
{
	if (argc < 2) {
		print_help(ctl->err);
		return CTL_USAGE;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return run_one(ctl, i, argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help"))
		print_help(ctl->out);
	else if (!strcmp(argv[1], "--version"))
		fprintf(ctl->out, "sidecarctl %s\n", sidecar_version_string());
	else {
		fprintf(ctl->err, "sidecarctl: '%s' is no command\n", argv[1]);
		return ctl_usage(ctl);
	}
	return CTL_OK;
}

/* An answer that did not arrive is no answer. */
static int check_output(struct ctl *ctl, int status)
{
	if (!ferror(ctl->out) && !fflush(ctl->out))
		return status;
	fprintf(ctl->err, "sidecarctl: standard output: %s\n", strerror(errno));
	return status ? status : CTL_FAILED;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {
		.root = "", .device = &device_driver, .out = stdout, .err = stderr};

	return check_output(&ctl, dispatch(&ctl, argc, argv));
}
