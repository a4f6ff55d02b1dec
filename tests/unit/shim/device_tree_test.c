// SPDX-License-Identifier: MIT
/* The blob is read back with a reader that knows nothing of the writer. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device_tree.h"

static uint64_t blob[DEVICE_TREE_MAX_SIZE / 8];
static char listing[65536];

static uint32_t word(uint32_t offset)
{
	assert_true(offset + 4 <= sizeof(blob));
	return be32toh(*(uint32_t *)((uint8_t *)blob + offset));
}

static void list(const char *format, ...)
{
	size_t used = strlen(listing);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(listing + used, sizeof(listing) - used, format, arguments);
	va_end(arguments);
}

/* "path{", "name=hex", "}" in one line. */
static void read_back(void)
{
	uint32_t at = word(8), strings = word(12), length, i;
	const uint8_t *bytes = (uint8_t *)blob;

	listing[0] = '\0';
	for (;;) {
		switch (word(at)) {
		case 1:
			list("%s{", (char *)bytes + at + 4);
			at += 4 + (((uint32_t)strlen((char *)bytes + at + 4) + 4) & ~3u);
			break;
		case 2:
			list("}");
			at += 4;
			break;
		case 3:
			length = word(at + 4);
			list("%s=", (char *)bytes + strings + word(at + 8));
			for (i = 0; i < length; i++)
				list("%02x", bytes[at + 12 + i]);
			list(";");
			at += 12 + ((length + 3) & ~3u);
			break;
		default:
			assert_int_equal(word(at), 9);
			assert_int_equal(at + 4, word(8) + word(36));
			return;
		}
	}
}

static void one_node(void **state)
{
	const struct sidecar_node_output node = {0x1ab000, 0x1ac000, 0x8000};
	const struct device_tree_input input = {&node, 1, 0x1122334455667788, 2};
	uint32_t size = device_tree_make(blob, sizeof(blob), &input);

	(void)state;
	assert_int_equal(word(0), 0xd00dfeed);
	assert_int_equal(word(4), size);
	assert_int_equal(word(20), 17);
	assert_int_equal(word(12) + word(32) <= size, 1);
	read_back();
	assert_string_equal(
		listing,
		"{#address-cells=00000002;#size-cells=00000002;"
		"reftime_sidecar_start=1122334455667788;reftime_sidecar_end=0000000000000002;"
		"bus{compatible=73696d706c652d62757300;#address-cells=00000002;"
		"#size-cells=00000002;ranges=;"
		"sidecar@1ab000{compatible="
		"6d6963726f736f66742c6f70656e68636c2d7369646563617200;"
		"reg=00000000001ab0000000000000001000"
		"00000000001ac0000000000000008000;"
		"reg-names=6374726c0073686d656d00;}}}");
}

static void the_most_nodes_fit(void **state)
{
	static struct sidecar_node_output nodes[SIDECAR_MAX_NODES];
	const struct device_tree_input input = {nodes, SIDECAR_MAX_NODES, 1, 2};
	uint32_t size, i;

	(void)state;
	for (i = 0; i < SIDECAR_MAX_NODES; i++)
		nodes[i].control_page = 0xfffffffff000;
	size = device_tree_make(blob, sizeof(blob), &input);
	assert_true(size > 0);
	read_back();
	assert_int_equal(device_tree_make(blob, size, &input), size);
	assert_int_equal(device_tree_make(blob, size - 4, &input), 0);
	assert_int_equal(device_tree_make(blob, 8, &input), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_node),
		cmocka_unit_test(the_most_nodes_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
