// SPDX-License-Identifier: MIT
/*
 * A guest moves while it runs: after some exits its VP is saved to a file, destroyed, and made
 * again on another CPU from that file, as often as it takes until the guest halts. What it prints
 * is what it would print without. Exit status: 0; 1 start; 2 usage; 3 the guest broke down; 4 it
 * counted its exits differently.
 */
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"

enum { EXIT_START = 1, EXIT_USAGE, EXIT_GUEST, EXIT_COUNT };

static struct guest guest;
static unsigned int moves;

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return -1;
}

/* Up to so many exits. */
static enum guest_state run(uint64_t exits)
{
	enum guest_state state = GUEST_GOES_ON;
	struct sidecar_event event;

	while (state == GUEST_GOES_ON && exits--) {
		if (sidecar_vp_run(guest.vp, SIDECAR_NO_DEADLINE, &event)) {
			fail(sidecar_vp_error(guest.vp)->text);
			return GUEST_FAILED;
		}
		state = guest_serve(&guest);
	}
	return state;
}

static int save(FILE *file)
{
	struct sidecar_vp_state state;

	if (sidecar_vp_save(guest.vp, &state))
		return fail(sidecar_vp_error(guest.vp)->text);
	rewind(file);
	return fwrite(&state, sizeof(state), 1, file) == 1 ? 0 : fail("the state cannot be stored");
}

static int restore(FILE *file)
{
	struct sidecar_vp_state state;

	rewind(file);
	if (fread(&state, sizeof(state), 1, file) != 1)
		return fail("the state cannot be read");
	if (sidecar_vp_restore(guest.vp, &state))
		return fail(sidecar_vp_error(guest.vp)->text);
	return 0;
}

/* The guest's memory is the partition's and stays where it is. */
static int move_to(struct sidecar *client, uint32_t cpu, FILE *file)
{
	if (save(file))
		return -1;
	sidecar_vp_destroy(guest.vp);
	guest.vp = NULL;
	if (sidecar_vp_create(client, cpu, guest.partition, &guest.vp))
		return fail(sidecar_error(client)->text);
	moves++;
	return restore(file);
}

static int run_all(struct sidecar *client, const uint64_t *cpus, uint64_t exits, FILE *file)
{
	enum guest_state state = run(exits);

	while (state == GUEST_GOES_ON) {
		if (move_to(client, (uint32_t)cpus[(moves + 1) % 2], file))
			return EXIT_GUEST;
		state = run(exits);
	}
	if (state == GUEST_FAILED)
		return EXIT_GUEST;
	fflush(stdout);
	fprintf(stderr, "exits=%llu moves=%u\n", (unsigned long long)guest.exits.total, moves);
	return guest.counted && guest.counted != guest.exits.total ? EXIT_COUNT : 0;
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct guest_options guest_options = {.image = argc > 4 ? argv[4] : NULL,
					      .input = argc > 5 ? argv[5] : NULL};
	struct sidecar *client = NULL;
	FILE *file = tmpfile();
	int status = EXIT_START, result;
	uint64_t cpus[2], exits;

	if (argc < 5 || argc > 6 || parse_number(argv[1], UINT32_MAX, &cpus[0]) ||
	    parse_number(argv[2], UINT32_MAX, &cpus[1]) ||
	    parse_number(argv[3], UINT32_MAX, &exits) || !exits) {
		fprintf(stderr, "usage: save-restore CPU CPU EXITS IMAGE [INPUT]\n");
		return EXIT_USAGE;
	}
	guest.out = stdout;
	if (!file)
		fail("no temporary file");
	else if ((result = sidecar_open(&options, &client)))
		fail(result == SIDECAR_ABSENT ? "no sidecar on this machine" : error.text);
	else if (!guest_load(&guest, &guest_options) &&
		 !guest_start(&guest, client, (uint32_t)cpus[0]))
		status = run_all(client, cpus, exits, file);
	guest_destroy(&guest);
	sidecar_close(client);
	if (file)
		fclose(file);
	return status;
}
