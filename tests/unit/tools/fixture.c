// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <getopt.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS 8

struct fixture *fixture_make(const char *command)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->root, "/tmp/sidecarctl-test.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->ctl.root = f->root;
	f->ctl.command = command;
	f->ctl.out = open_memstream(&f->out, &f->out_size);
	f->ctl.err = open_memstream(&f->err, &f->err_size);
	assert_true(f->ctl.out && f->ctl.err);
	return f;
}

void fixture_drop(struct fixture *f)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->root);
	assert_int_equal(system(command), 0);
	fclose(f->ctl.out);
	fclose(f->ctl.err);
	free(f->out);
	free(f->err);
	free(f);
}

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

void fixture_write(struct fixture *f, const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", f->root, path);
	make_folders(full);
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void add_cpu(struct fixture *f, unsigned int node, unsigned int cpu)
{
	static const char *const files[][2] = {
		{"state", "idle\n"},  {"owner", "none\n"},	{"last_error", "none\n"},
		{"commands", "0\n"}, {"entries", "0\n"}, {"exits", "io 0\nhalt 0\ntotal 0\n"},
	};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "sys/class/misc/mshv_vtl_sidecar%u/cpu%u/%s", node,
			 cpu, files[i][0]);
		fixture_write(f, path, files[i][1]);
	}
}

void fixture_add_node(struct fixture *f, unsigned int node, unsigned int first, unsigned int last)
{
	for (; first <= last; first++)
		add_cpu(f, node, first);
}

const char *fixture_out(struct fixture *f)
{
	fflush(f->ctl.out);
	return f->out;
}

const char *fixture_err(struct fixture *f)
{
	fflush(f->ctl.err);
	return f->err;
}

int fixture_run(struct fixture *f, ctl_command *command, ...)
{
	char *argv[ARGUMENTS] = {(char *)"sidecarctl"};
	int argc = 1;
	va_list list;

	va_start(list, command);
	while ((argv[argc] = va_arg(list, char *)))
		assert_true(++argc < ARGUMENTS);
	va_end(list);
	optind = 0; /* begins anew, also inside glibc */
	return command(&f->ctl, argc, argv);
}
