// SPDX-License-Identifier: MIT
/*
 * Registers of a VP by their numbers (HV_REGISTER_*). Without any it prints all that the VP has;
 * NAME reads, NAME=VALUE or NAME=HIGH:LOW writes, in the order given.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sidecar/sidecar.h>

static const char usage[] = "usage: registers CPU [NAME|NAME=VALUE|NAME=HIGH:LOW]...\n"
			    "  e.g. registers 1 0x20010 0x20010=0x8000 0x20010   (RIP)\n";

/* Where the names are that a VP may have; the gaps between them are unknown registers. */
static const struct {
	uint32_t first, last;
} ranges[] = {
	{0x00000004, 0x00000004}, {0x00010002, 0x00010006}, {0x00020000, 0x00020011},
	{0x00030000, 0x00030019}, {0x00040000, 0x00040005}, {0x00050000, 0x00050005},
	{0x00060000, 0x00060007}, {0x00070000, 0x00070001}, {0x00080000, 0x0008009a},
	{0x00090003, 0x00090003},
};

static void print_register(uint32_t name, const struct hv_u128 *value)
{
	printf("%#010x %-28s ", name, sidecar_register_name(name));
	if (value->high)
		printf("%#llx:", (unsigned long long)value->high);
	printf("%#llx\n", (unsigned long long)value->low);
}

/* A register that the VP does not have is no failure here. */
static int print_all(struct sidecar_vp *vp)
{
	struct hv_u128 value;
	int result;

	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (uint32_t name = ranges[i].first; name <= ranges[i].last; name++) {
			result = sidecar_vp_get_register(vp, HV_VTL_0, name, &value);
			if (!result)
				print_register(name, &value);
			else if (result != -EREMOTEIO)
				return result;
		}
	return 0;
}

/* "NAME", "NAME=LOW" or "NAME=HIGH:LOW": how many numbers there were, 0 for anything else. */
static int parse(const char *text, uint32_t *name, struct hv_u128 *value)
{
	char *end;

	value->high = 0;
	*name = (uint32_t)strtoul(text, &end, 0);
	if (end == text || (*end && *end != '='))
		return 0;
	if (!*end)
		return 1;
	text = end + 1;
	value->low = strtoull(text, &end, 0);
	if (end == text || (*end && *end != ':'))
		return 0;
	if (!*end)
		return 2;
	value->high = value->low;
	text = end + 1;
	value->low = strtoull(text, &end, 0);
	return end == text || *end ? 0 : 3;
}

static int one(struct sidecar_vp *vp, const char *text)
{
	struct hv_u128 value;
	uint32_t name;
	int numbers = parse(text, &name, &value), result;

	if (!numbers) {
		fprintf(stderr, "'%s' is neither NAME nor NAME=VALUE\n", text);
		return -EINVAL;
	}
	if (numbers > 1)
		result = sidecar_vp_set_register(vp, HV_VTL_0, name, value);
	else
		result = sidecar_vp_get_register(vp, HV_VTL_0, name, &value);
	if (result)
		fprintf(stderr, "%s\n", sidecar_vp_error(vp)->text);
	else if (numbers == 1)
		print_register(name, &value);
	return result;
}

static int with_vp(struct sidecar *client, uint32_t cpu, char **texts, int count)
{
	struct sidecar_vp *vp;
	int result = sidecar_vp_create(client, cpu, NULL, &vp);

	if (result) {
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
		return result;
	}
	if (!count)
		result = print_all(vp);
	for (int i = 0; i < count && !result; i++)
		result = one(vp, texts[i]);
	sidecar_vp_destroy(vp);
	return result;
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar *client;
	char *end = NULL;
	unsigned long cpu = argc > 1 ? strtoul(argv[1], &end, 0) : 0;
	int result;

	if (!end || end == argv[1] || *end || cpu >= UINT32_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	result = sidecar_open(&options, &client);
	if (result) {
		fprintf(stderr, "%s\n", result == SIDECAR_ABSENT ? "no sidecar on this machine"
								 : error.text);
		return 1;
	}
	result = with_vp(client, (uint32_t)cpu, argv + 2, argc - 2);
	sidecar_close(client);
	return result ? 1 : 0;
}
