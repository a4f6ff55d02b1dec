// SPDX-License-Identifier: MIT
/*
 * Every offset and size that other programs rely on, typed once more from the fact sheet of the
 * original's memory layout, so that a header whose field and assert moved together is noticed.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sidecar/abi.h>
#include <sidecar/hv.h>
#include <sidecar/ioctl.h>

struct row {
	const char *name;
	size_t offset, size, wanted_offset, wanted_size;
};

/* The whole of struct T; a field of it. T is the type of the table at hand. */
#define WHOLE(bytes) {"size", 0, sizeof(struct T), 0, (bytes)}
#define FIELD(member, at, bytes) \
	{#member, offsetof(struct T, member), sizeof(((struct T *)0)->member), (at), (bytes)}
#define END {NULL, 0, 0, 0, 0}

#define T sidecar_control_page
static const struct row control_page[] = {
	WHOLE(4096),
	FIELD(index, 0x000, 4),
	FIELD(base_cpu, 0x004, 4),
	FIELD(cpu_count, 0x008, 4),
	FIELD(request_vector, 0x00c, 4),
	FIELD(response_cpu, 0x010, 4),
	FIELD(response_vector, 0x014, 4),
	FIELD(needs_attention, 0x018, 4),
	FIELD(reserved, 0x01c, 36),
	FIELD(cpu_status, 0x040, 4032),
	FIELD(cpu_status[0], 0x040, 1),
	FIELD(cpu_status[4031], 0xfff, 1),
	END,
};
#undef T

#define T sidecar_command_page
static const struct row command_page[] = {
	WHOLE(4096),
	FIELD(command, 0x000, 4),
	FIELD(has_error, 0x004, 1),
	FIELD(reserved0, 0x005, 11),
	FIELD(cpu_context, 0x010, 1024),
	FIELD(intercept_message, 0x410, 256),
	FIELD(error, 0x510, 256),
	FIELD(request_data, 0x610, 1024),
	FIELD(reserved1, 0xa10, 1520),
	FIELD(cpu_context.gps[SIDECAR_GP_RAX], 0x10, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RCX], 0x18, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RDX], 0x20, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RBX], 0x28, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_CR2], 0x30, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RBP], 0x38, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RSI], 0x40, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_RDI], 0x48, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_R8], 0x50, 8),
	FIELD(cpu_context.gps[SIDECAR_GP_R15], 0x88, 8),
	FIELD(cpu_context.fx_state, 0x090, 512),
	FIELD(cpu_context.fx_state.xmm[0], 0x130, 16),
	FIELD(cpu_context.fx_state.xmm[15], 0x220, 16),
	FIELD(intercept_message.header.type, 0x410, 4),
	FIELD(intercept_message.payload, 0x420, 240),
	FIELD(error.text, 0x511, 255),
	FIELD(request_data[1], 0x620, 16),
	END,
};
#undef T

#define T sidecar_cpu_context
static const struct row cpu_context[] = {
	WHOLE(1024),
	FIELD(gps, 0x000, 128),
	FIELD(fx_state, 0x080, 512),
	FIELD(reserved, 0x280, 384),
	END,
};
#undef T

#define T hv_fx_state
static const struct row fx_state[] = {
	WHOLE(512),
	FIELD(fcw, 0x000, 2),
	FIELD(fsw, 0x002, 2),
	FIELD(ftw, 0x004, 1),
	FIELD(reserved, 0x005, 1),
	FIELD(fop, 0x006, 2),
	FIELD(fip, 0x008, 8),
	FIELD(fdp, 0x010, 8),
	FIELD(mxcsr, 0x018, 4),
	FIELD(mxcsr_mask, 0x01c, 4),
	FIELD(st, 0x020, 128),
	FIELD(xmm, 0x0a0, 256),
	FIELD(reserved2, 0x1a0, 48),
	FIELD(unused, 0x1d0, 48),
	END,
};
#undef T

#define T sidecar_registers_request
static const struct row registers_request[] = {
	WHOLE(16),
	FIELD(count, 0x000, 2),
	FIELD(target_vtl, 0x002, 1),
	FIELD(reserved0, 0x003, 1),
	FIELD(status, 0x004, 2),
	FIELD(reserved1, 0x006, 10),
	END,
};
#undef T

#define T hv_register_assoc
static const struct row register_assoc[] = {
	WHOLE(32),
	FIELD(name, 0x000, 4),
	FIELD(reserved, 0x004, 12),
	FIELD(value, 0x010, 16),
	END,
};
#undef T

#define T sidecar_translate_request
static const struct row translate_request[] = {
	WHOLE(16),
	FIELD(gva_page, 0x000, 8),
	FIELD(control_flags, 0x008, 8),
	END,
};
#undef T

#define T sidecar_translate_response
static const struct row translate_response[] = {
	WHOLE(80),
	FIELD(status, 0x000, 2),
	FIELD(reserved, 0x002, 14),
	FIELD(output, 0x010, 64),
	END,
};
#undef T

#define T sidecar_command_error
static const struct row command_error[] = {
	WHOLE(256),
	FIELD(length, 0x000, 1),
	FIELD(text, 0x001, 255),
	END,
};
#undef T

#define T hv_register_page
static const struct row register_page[] = {
	WHOLE(4096),
	FIELD(version, 0x000, 2),
	FIELD(is_valid, 0x002, 1),
	FIELD(vtl, 0x003, 1),
	FIELD(dirty, 0x004, 4),
	FIELD(gp_registers, 0x008, 128),
	FIELD(gp_registers[4], 0x028, 8),
	FIELD(rip, 0x088, 8),
	FIELD(rflags, 0x090, 8),
	FIELD(reserved, 0x098, 8),
	FIELD(xmm, 0x0a0, 96),
	FIELD(segment, 0x100, 96),
	FIELD(segment[HV_SEGMENT_INDEX_ES], 0x100, 16),
	FIELD(segment[HV_SEGMENT_INDEX_CS], 0x110, 16),
	FIELD(segment[HV_SEGMENT_INDEX_SS], 0x120, 16),
	FIELD(segment[HV_SEGMENT_INDEX_DS], 0x130, 16),
	FIELD(segment[HV_SEGMENT_INDEX_FS], 0x140, 16),
	FIELD(segment[HV_SEGMENT_INDEX_GS], 0x150, 16),
	FIELD(cr0, 0x160, 8),
	FIELD(cr3, 0x168, 8),
	FIELD(cr4, 0x170, 8),
	FIELD(cr8, 0x178, 8),
	FIELD(efer, 0x180, 8),
	FIELD(dr7, 0x188, 8),
	FIELD(pending_interruption, 0x190, 8),
	FIELD(interrupt_state, 0x198, 8),
	FIELD(instruction_emulation_hints, 0x1a0, 8),
	FIELD(reserved_end, 0x1a8, 3672),
	END,
};
#undef T

#define T sidecar_boot_params
static const struct row boot_params[] = {
	WHOLE(4096),
	FIELD(hypercall_page, 0x000, 8),
	FIELD(enable_logging, 0x008, 1),
	FIELD(node_count, 0x00c, 4),
	FIELD(nodes, 0x010, 3072),
	FIELD(initial_state, 0xc10, 401),
	END,
};
#undef T

#define T sidecar_node_params
static const struct row node_params[] = {
	WHOLE(24),
	FIELD(memory_base, 0x000, 8),
	FIELD(memory_size, 0x008, 8),
	FIELD(base_vp, 0x010, 4),
	FIELD(vp_count, 0x014, 4),
	END,
};
#undef T

#define T sidecar_per_cpu_state
static const struct row per_cpu_state[] = {
	WHOLE(401),
	FIELD(specified, 0x000, 1),
	FIELD(sidecar_starts_cpu, 0x001, 400),
	END,
};
#undef T

#define T sidecar_boot_output
static const struct row boot_output[] = {
	WHOLE(3328),
	FIELD(error, 0x000, 256),
	FIELD(nodes, 0x100, 3072),
	END,
};
#undef T

#define T sidecar_node_output
static const struct row node_output[] = {
	WHOLE(24),
	FIELD(control_page, 0x000, 8),
	FIELD(shmem_pages_base, 0x008, 8),
	FIELD(shmem_pages_size, 0x010, 8),
	END,
};
#undef T

#define T sidecar_node_ioctl_info
static const struct row ioctl_info[] = {
	WHOLE(12),
	FIELD(base_cpu, 0x000, 4),
	FIELD(cpu_count, 0x004, 4),
	FIELD(per_cpu_shmem, 0x008, 4),
	END,
};
#undef T

#define T hv_vp_registers_input
static const struct row vp_registers_input[] = {
	WHOLE(16),
	FIELD(partition_id, 0x000, 8),
	FIELD(vp_index, 0x008, 4),
	FIELD(target_vtl, 0x00c, 1),
	FIELD(reserved, 0x00d, 3),
	END,
};
#undef T

#define T hv_start_vp_input
static const struct row start_vp_input[] = {
	WHOLE(240),
	FIELD(partition_id, 0x000, 8),
	FIELD(vp_index, 0x008, 4),
	FIELD(target_vtl, 0x00c, 1),
	FIELD(reserved, 0x00d, 3),
	FIELD(context, 0x010, 224),
	END,
};
#undef T

#define T hv_initial_vp_context
static const struct row initial_vp_context[] = {
	WHOLE(224),
	FIELD(rip, 0x000, 8),
	FIELD(rsp, 0x008, 8),
	FIELD(rflags, 0x010, 8),
	FIELD(cs, 0x018, 16),
	FIELD(ds, 0x028, 16),
	FIELD(es, 0x038, 16),
	FIELD(fs, 0x048, 16),
	FIELD(gs, 0x058, 16),
	FIELD(ss, 0x068, 16),
	FIELD(tr, 0x078, 16),
	FIELD(ldtr, 0x088, 16),
	FIELD(idtr, 0x098, 16),
	FIELD(gdtr, 0x0a8, 16),
	FIELD(efer, 0x0b8, 8),
	FIELD(cr0, 0x0c0, 8),
	FIELD(cr3, 0x0c8, 8),
	FIELD(cr4, 0x0d0, 8),
	FIELD(pat, 0x0d8, 8),
	END,
};
#undef T

#define T hv_segment
static const struct row segment[] = {
	WHOLE(16),
	FIELD(base, 0x000, 8),
	FIELD(limit, 0x008, 4),
	FIELD(selector, 0x00c, 2),
	FIELD(attributes, 0x00e, 2),
	END,
};
#undef T

#define T hv_table
static const struct row table[] = {
	WHOLE(16),
	FIELD(pad, 0x000, 6),
	FIELD(limit, 0x006, 2),
	FIELD(base, 0x008, 8),
	END,
};
#undef T

#define T hv_enable_partition_vtl_input
static const struct row enable_partition_vtl_input[] = {
	WHOLE(16),
	FIELD(partition_id, 0x000, 8),
	FIELD(target_vtl, 0x008, 1),
	FIELD(flags, 0x009, 1),
	FIELD(reserved, 0x00a, 2),
	FIELD(reserved2, 0x00c, 4),
	END,
};
#undef T

#define T hv_vp_index_from_apic_id_input
static const struct row vp_index_from_apic_id_input[] = {
	WHOLE(16),
	FIELD(partition_id, 0x000, 8),
	FIELD(target_vtl, 0x008, 1),
	FIELD(reserved, 0x009, 7),
	END,
};
#undef T

#define T hv_translate_input
static const struct row translate_input[] = {
	WHOLE(32),
	FIELD(partition_id, 0x000, 8),
	FIELD(vp_index, 0x008, 4),
	FIELD(reserved, 0x00c, 4),
	FIELD(control_flags, 0x010, 8),
	FIELD(gva_page, 0x018, 8),
	END,
};
#undef T

#define T hv_translate_output
static const struct row translate_output[] = {
	WHOLE(64),
	FIELD(result, 0x00, 8),
	FIELD(reserved, 0x08, 8),
	FIELD(event, 0x10, 32),
	FIELD(gpa_page, 0x30, 8),
	FIELD(reserved2, 0x38, 8),
	END,
};
#undef T

#define T hv_translate_plain_output
static const struct row translate_plain_output[] = {
	WHOLE(16),
	FIELD(result, 0x00, 8),
	FIELD(gpa_page, 0x08, 8),
	END,
};
#undef T

#define T hv_vp_assist_page
static const struct row vp_assist_page[] = {
	WHOLE(624),
	FIELD(apic_assist, 0x000, 4),
	FIELD(reserved, 0x004, 4),
	FIELD(vtl_control, 0x008, 24),
	FIELD(vtl_control.entry_reason, 0x008, 4),
	FIELD(vtl_control.vina_status, 0x00c, 1),
	FIELD(vtl_control.reserved, 0x00d, 1),
	FIELD(vtl_control.reserved2, 0x00e, 2),
	FIELD(vtl_control.rax, 0x010, 8),
	FIELD(vtl_control.rcx, 0x018, 8),
	FIELD(nested_enlightenments_control, 0x020, 8),
	FIELD(enlighten_vm_entry, 0x028, 1),
	FIELD(reserved1, 0x029, 7),
	FIELD(current_nested_vmcs, 0x030, 8),
	FIELD(synthetic_time_unhalted_timer_expired, 0x038, 1),
	FIELD(reserved2, 0x039, 7),
	FIELD(virtualization_fault_information, 0x040, 40),
	FIELD(reserved3, 0x068, 8),
	FIELD(intercept_message, 0x070, 256),
	FIELD(vtl_return_actions, 0x170, 256),
	END,
};
#undef T

#define T hv_return_action
static const struct row return_action[] = {
	WHOLE(16),
	FIELD(type, 0, 8),
	FIELD(vp_index, 8, 4),
	FIELD(vtl, 12, 1),
	FIELD(sint, 13, 1),
	FIELD(flag, 14, 2),
	END,
};
#undef T

#define T hv_message
static const struct row message[] = {
	WHOLE(256),
	FIELD(header, 0x000, 16),
	FIELD(header.type, 0x000, 4),
	FIELD(header.length, 0x004, 1),
	FIELD(header.flags, 0x005, 1),
	FIELD(header.reserved, 0x006, 2),
	FIELD(header.id, 0x008, 8),
	FIELD(payload, 0x010, 240),
	END,
};
#undef T

#define T hv_intercept_header
static const struct row intercept_header[] = {
	WHOLE(40),
	FIELD(vp_index, 0x000, 4),
	FIELD(instruction_length_and_cr8, 0x004, 1),
	FIELD(intercept_access_type, 0x005, 1),
	FIELD(execution_state, 0x006, 2),
	FIELD(cs_segment, 0x008, 16),
	FIELD(rip, 0x018, 8),
	FIELD(rflags, 0x020, 8),
	END,
};
#undef T

#define T hv_io_message
static const struct row io_message[] = {
	WHOLE(128),
	FIELD(header, 0x000, 40),
	FIELD(port_number, 0x028, 2),
	FIELD(access_info, 0x02a, 1),
	FIELD(instruction_byte_count, 0x02b, 1),
	FIELD(reserved, 0x02c, 4),
	FIELD(rax, 0x030, 8),
	FIELD(instruction_bytes, 0x038, 16),
	FIELD(ds_segment, 0x048, 16),
	FIELD(es_segment, 0x058, 16),
	FIELD(rcx, 0x068, 8),
	FIELD(rsi, 0x070, 8),
	FIELD(rdi, 0x078, 8),
	END,
};
#undef T

#define T hv_memory_message
static const struct row memory_message[] = {
	WHOLE(80),
	FIELD(header, 0x000, 40),
	FIELD(cache_type, 0x028, 4),
	FIELD(instruction_byte_count, 0x02c, 1),
	FIELD(memory_access_info, 0x02d, 1),
	FIELD(tpr_priority, 0x02e, 1),
	FIELD(reserved, 0x02f, 1),
	FIELD(guest_virtual_address, 0x030, 8),
	FIELD(guest_physical_address, 0x038, 8),
	FIELD(instruction_bytes, 0x040, 16),
	END,
};
#undef T

#define T hv_msr_message
static const struct row msr_message[] = {
	WHOLE(64),
	FIELD(header, 0x000, 40),
	FIELD(msr_number, 0x028, 4),
	FIELD(reserved, 0x02c, 4),
	FIELD(rdx, 0x030, 8),
	FIELD(rax, 0x038, 8),
	END,
};
#undef T

#define T hv_cpuid_message
static const struct row cpuid_message[] = {
	WHOLE(104),
	FIELD(header, 0x000, 40),
	FIELD(rax, 0x028, 8),
	FIELD(rcx, 0x030, 8),
	FIELD(rdx, 0x038, 8),
	FIELD(rbx, 0x040, 8),
	FIELD(default_result_rax, 0x048, 8),
	FIELD(default_result_rcx, 0x050, 8),
	FIELD(default_result_rdx, 0x058, 8),
	FIELD(default_result_rbx, 0x060, 8),
	END,
};
#undef T

#define T hv_hypercall_message
static const struct row hypercall_message[] = {
	WHOLE(208),
	FIELD(header, 0x000, 40),
	FIELD(rax, 0x028, 8),
	FIELD(rbx, 0x030, 8),
	FIELD(rcx, 0x038, 8),
	FIELD(rdx, 0x040, 8),
	FIELD(r8, 0x048, 8),
	FIELD(rsi, 0x050, 8),
	FIELD(rdi, 0x058, 8),
	FIELD(xmm_registers, 0x060, 96),
	FIELD(flags, 0x0c0, 4),
	FIELD(reserved, 0x0c4, 12),
	END,
};
#undef T

#define T hv_exception_message
static const struct row exception_message[] = {
	WHOLE(240),
	FIELD(header, 0x000, 40),
	FIELD(vector, 0x028, 2),
	FIELD(exception_info, 0x02a, 1),
	FIELD(instruction_byte_count, 0x02b, 1),
	FIELD(error_code, 0x02c, 4),
	FIELD(exception_parameter, 0x030, 8),
	FIELD(reserved, 0x038, 8),
	FIELD(instruction_bytes, 0x040, 16),
	FIELD(ds_segment, 0x050, 16),
	FIELD(ss_segment, 0x060, 16),
	FIELD(rax, 0x070, 8),
	FIELD(rcx, 0x078, 8),
	FIELD(rdx, 0x080, 8),
	FIELD(rbx, 0x088, 8),
	FIELD(rsp, 0x090, 8),
	FIELD(rbp, 0x098, 8),
	FIELD(rsi, 0x0a0, 8),
	FIELD(rdi, 0x0a8, 8),
	FIELD(r8, 0x0b0, 8),
	FIELD(r9, 0x0b8, 8),
	FIELD(r10, 0x0c0, 8),
	FIELD(r11, 0x0c8, 8),
	FIELD(r12, 0x0d0, 8),
	FIELD(r13, 0x0d8, 8),
	FIELD(r14, 0x0e0, 8),
	FIELD(r15, 0x0e8, 8),
	END,
};
#undef T

#define T hv_sint_deliverable_message
static const struct row sint_deliverable_message[] = {
	WHOLE(48),
	FIELD(header, 0x000, 40),
	FIELD(deliverable_sints, 0x028, 2),
	FIELD(reserved, 0x02a, 2),
	FIELD(reserved2, 0x02c, 4),
	END,
};
#undef T

#define T hv_interruption_deliverable_message
static const struct row interruption_deliverable_message[] = {
	WHOLE(48),
	FIELD(header, 0x000, 40),
	FIELD(deliverable_type, 0x028, 1),
	FIELD(reserved, 0x029, 3),
	FIELD(reserved2, 0x02c, 4),
	END,
};
#undef T

#define T hv_sipi_message
static const struct row sipi_message[] = {
	WHOLE(48),
	FIELD(header, 0x000, 40),
	FIELD(target_vp_index, 0x028, 4),
	FIELD(vector, 0x02c, 4),
	END,
};
#undef T

#define T hv_register_message
static const struct row register_message[] = {
	WHOLE(64),
	FIELD(header, 0x000, 40),
	FIELD(flags, 0x028, 1),
	FIELD(reserved, 0x029, 1),
	FIELD(reserved2, 0x02a, 2),
	FIELD(register_name, 0x02c, 4),
	FIELD(access_info, 0x030, 16),
	END,
};
#undef T

#define T hv_apic_eoi_message
static const struct row apic_eoi_message[] = {
	WHOLE(8),
	FIELD(vp_index, 0x000, 4),
	FIELD(interrupt_vector, 0x004, 4),
	END,
};
#undef T

#define T hv_invalid_register_message
static const struct row invalid_register_message[] = {
	WHOLE(8),
	FIELD(vp_index, 0x000, 4),
	FIELD(reserved, 0x004, 4),
	END,
};
#undef T

#define T hv_unrecoverable_message
static const struct row unrecoverable_message[] = {WHOLE(40), FIELD(header, 0, 40), END};
#undef T

#define T hv_halt_message
static const struct row halt_message[] = {WHOLE(40), FIELD(header, 0, 40), END};
#undef T

#define T hv_timer_message
static const struct row timer_message[] = {
	WHOLE(24),
	FIELD(timer_index, 0, 4),
	FIELD(reserved, 4, 4),
	FIELD(expiration_time, 8, 8),
	FIELD(delivery_time, 16, 8),
	END,
};
#undef T

static void check_rows(void **state)
{
	unsigned int wrong = 0;

	for (const struct row *row = *state; row->name; row++) {
		if (row->offset == row->wanted_offset && row->size == row->wanted_size)
			continue;
		print_error("%s: at %#zx, %zu bytes; wanted at %#zx, %zu bytes\n", row->name,
			    row->offset, row->size, row->wanted_offset, row->wanted_size);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Payload fields counted from the start of the command page, as VMMs write them down. */
static void check_message_in_command_page(void **state)
{
	const size_t payload = offsetof(struct sidecar_command_page, intercept_message.payload);

	(void)state;
	assert_int_equal(payload + offsetof(struct hv_intercept_header, vp_index), 0x420);
	assert_int_equal(payload + offsetof(struct hv_intercept_header,
					    instruction_length_and_cr8), 0x424);
	assert_int_equal(payload + offsetof(struct hv_intercept_header,
					    intercept_access_type), 0x425);
	assert_int_equal(payload + offsetof(struct hv_intercept_header, execution_state), 0x426);
	assert_int_equal(payload + offsetof(struct hv_intercept_header, cs_segment), 0x428);
	assert_int_equal(payload + offsetof(struct hv_intercept_header, rip), 0x438);
	assert_int_equal(payload + offsetof(struct hv_intercept_header, rflags), 0x440);
}

static void check_alignments(void **state)
{
	(void)state;
	assert_int_equal(_Alignof(struct sidecar_command_page), 16);
	assert_int_equal(_Alignof(struct sidecar_cpu_context), 16);
	assert_int_equal(_Alignof(struct sidecar_registers_request), 16);
	assert_int_equal(_Alignof(struct sidecar_translate_request), 8);
	assert_int_equal(_Alignof(struct sidecar_translate_response), 16);
	assert_int_equal(_Alignof(struct hv_register_page), 16);
	assert_int_equal(_Alignof(struct hv_register_assoc), 16);
	assert_int_equal(_Alignof(struct hv_message), 16);
	assert_int_equal(_Alignof(struct hv_vp_assist_page), 16);
	assert_int_equal(_Alignof(struct hv_hypercall_message), 16);
	assert_int_equal(_Alignof(struct hv_register_message), 16);
	assert_int_equal(_Alignof(struct hv_io_message), 8);
	assert_int_equal(_Alignof(struct hv_segment), 8);
	assert_int_equal(_Alignof(struct sidecar_per_cpu_state), 1);
}

#define ROWS(array) {#array, check_rows, NULL, NULL, (void *)(array)}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROWS(control_page),
		ROWS(command_page),
		ROWS(cpu_context),
		ROWS(fx_state),
		ROWS(registers_request),
		ROWS(register_assoc),
		ROWS(translate_request),
		ROWS(translate_response),
		ROWS(command_error),
		ROWS(register_page),
		ROWS(boot_params),
		ROWS(node_params),
		ROWS(per_cpu_state),
		ROWS(boot_output),
		ROWS(node_output),
		ROWS(ioctl_info),
		ROWS(vp_registers_input),
		ROWS(start_vp_input),
		ROWS(initial_vp_context),
		ROWS(segment),
		ROWS(table),
		ROWS(enable_partition_vtl_input),
		ROWS(vp_index_from_apic_id_input),
		ROWS(translate_input),
		ROWS(translate_output),
		ROWS(translate_plain_output),
		ROWS(vp_assist_page),
		ROWS(return_action),
		ROWS(message),
		ROWS(intercept_header),
		ROWS(io_message),
		ROWS(memory_message),
		ROWS(msr_message),
		ROWS(cpuid_message),
		ROWS(hypercall_message),
		ROWS(exception_message),
		ROWS(sint_deliverable_message),
		ROWS(interruption_deliverable_message),
		ROWS(sipi_message),
		ROWS(register_message),
		ROWS(apic_eoi_message),
		ROWS(invalid_register_message),
		ROWS(unrecoverable_message),
		ROWS(halt_message),
		ROWS(timer_message),
		cmocka_unit_test(check_message_in_command_page),
		cmocka_unit_test(check_alignments),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
