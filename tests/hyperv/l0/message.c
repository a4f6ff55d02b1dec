// SPDX-License-Identifier: MIT
#include "message.h"

#include "assist.h"
#include "cpuid.h"
#include "decode.h"
#include "guest.h"
#include "log.h"
#include "partition.h"
#include "registers.h"
#include "segment.h"

#define DR7_ENABLED 0xffull

static void *begin(struct hv_message *message, uint32_t type, uint8_t length)
{
	__builtin_memset(message, 0, sizeof(*message));
	message->header.type = type;
	message->header.length = length;
	return message->payload;
}

/* Only a VTL2 that asked for the intercept page gets messages there. */
static void deliver(struct cpu *cpu, const struct hv_message *message)
{
	if (!(partition.vsm_config & HV_VSM_PARTITION_CONFIG_INTERCEPT_PAGE)) {
		log_violation(cpu,
			      "message 0x%x is lost: VsmPartitionConfig 0x%lx, no intercept page",
			      message->header.type, partition.vsm_config);
		vtl_enter(cpu, HV_ENTRY_REASON_INTERRUPT);
		return;
	}
	assist_page(cpu)->intercept_message = *message;
	vtl_enter(cpu, HV_ENTRY_REASON_INTERCEPT);
}

static uint16_t execution_state(struct cpu *cpu)
{
	const struct svm_vmcb *vmcb = &cpu->vmcb0;
	uint16_t state = vmcb->save.cpl & HV_EXECUTION_STATE_CPL_MASK;

	if (vmcb->save.cr0 & CR0_PE)
		state |= HV_EXECUTION_STATE_CR0_PE;
	if (vmcb->save.cr0 & CR0_AM)
		state |= HV_EXECUTION_STATE_CR0_AM;
	if (vmcb->save.efer & EFER_LMA)
		state |= HV_EXECUTION_STATE_EFER_LMA;
	if (vmcb->save.dr7 & DR7_ENABLED)
		state |= HV_EXECUTION_STATE_DEBUG_ACTIVE;
	if (cpu->vtl0.pending_interruption & HV_PENDING_INTERRUPTION_PENDING)
		state |= HV_EXECUTION_STATE_INTERRUPTION_PENDING;
	if (vmcb->control.int_state & SVM_INT_STATE_SHADOW)
		state |= HV_EXECUTION_STATE_INTERRUPT_SHADOW;
	return state; /* the VTL in bits 7 to 10 is 0 */
}

static struct hv_intercept_header header(struct cpu *cpu, uint8_t access, uint8_t length)
{
	const struct svm_vmcb *vmcb = &cpu->vmcb0;
	uint8_t cr8 = vmcb->control.int_ctl & 0xf;

	return (struct hv_intercept_header){
		.vp_index = cpu->vp_index,
		.instruction_length_and_cr8 = (uint8_t)(length | cr8 << HV_INTERCEPT_CR8_SHIFT),
		.intercept_access_type = access,
		.execution_state = execution_state(cpu),
		.cs_segment = svm_segment_to_hv(&vmcb->save.cs),
		.rip = vmcb->save.rip,
		.rflags = vmcb->save.rflags,
	};
}

void message_io(struct cpu *cpu)
{
	const struct svm_vmcb *vmcb = &cpu->vmcb0;
	uint64_t info = vmcb->control.exit_info1;
	uint8_t length = (uint8_t)(vmcb->control.exit_info2 - vmcb->save.rip);
	struct hv_message message;
	struct hv_io_message *io = begin(&message, HV_MESSAGE_IO_PORT_INTERCEPT, sizeof(*io));

	io->header =
		header(cpu, info & SVM_IO_IN ? HV_INTERCEPT_ACCESS_READ : HV_INTERCEPT_ACCESS_WRITE,
		       length);
	io->port_number = (uint16_t)(info >> SVM_IO_PORT_SHIFT);
	io->access_info = (info & SVM_IO_SIZE_MASK) >> SVM_IO_SIZE_SHIFT;
	if (info & SVM_IO_STRING)
		io->access_info |= HV_IO_ACCESS_STRING;
	if (info & SVM_IO_REP)
		io->access_info |= HV_IO_ACCESS_REP;
	io->instruction_byte_count = guest_fetch(cpu, 0, io->instruction_bytes);
	io->rax = cpu->gps[HV_GP_RAX];
	io->ds_segment = svm_segment_to_hv(&vmcb->save.ds);
	io->es_segment = svm_segment_to_hv(&vmcb->save.es);
	io->rcx = cpu->gps[HV_GP_RCX];
	io->rsi = cpu->gps[HV_GP_RSI];
	io->rdi = cpu->gps[HV_GP_RDI];
	deliver(cpu, &message);
}

void message_msr(struct cpu *cpu)
{
	bool write = cpu->vmcb0.control.exit_info1 & SVM_MSR_WRITE;
	struct hv_message message;
	struct hv_msr_message *msr = begin(&message, HV_MESSAGE_MSR_INTERCEPT, sizeof(*msr));

	msr->header = header(cpu, write ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ,
			     guest_instruction_length(cpu, 0));
	msr->msr_number = (uint32_t)cpu->gps[HV_GP_RCX];
	msr->rdx = cpu->gps[HV_GP_RDX];
	msr->rax = cpu->gps[HV_GP_RAX];
	deliver(cpu, &message);
}

void message_cpuid(struct cpu *cpu)
{
	struct hv_message message;
	struct hv_cpuid_message *cpuid =
		begin(&message, HV_MESSAGE_CPUID_INTERCEPT, sizeof(*cpuid));
	struct cpuid_words words =
		cpuid_result(cpu, (uint32_t)cpu->gps[HV_GP_RAX], (uint32_t)cpu->gps[HV_GP_RCX]);

	cpuid->header = header(cpu, HV_INTERCEPT_ACCESS_EXECUTE, guest_instruction_length(cpu, 0));
	cpuid->rax = cpu->gps[HV_GP_RAX];
	cpuid->rcx = cpu->gps[HV_GP_RCX];
	cpuid->rdx = cpu->gps[HV_GP_RDX];
	cpuid->rbx = cpu->gps[HV_GP_RBX];
	cpuid->default_result_rax = words.eax;
	cpuid->default_result_rcx = words.ecx;
	cpuid->default_result_rdx = words.edx;
	cpuid->default_result_rbx = words.ebx;
	deliver(cpu, &message);
}

void message_hypercall(struct cpu *cpu)
{
	struct hv_message message;
	struct hv_hypercall_message *call =
		begin(&message, HV_MESSAGE_HYPERCALL_INTERCEPT, sizeof(*call));

	call->header = header(cpu, HV_INTERCEPT_ACCESS_EXECUTE, guest_instruction_length(cpu, 0));
	call->rax = cpu->gps[HV_GP_RAX];
	call->rbx = cpu->gps[HV_GP_RBX];
	call->rcx = cpu->gps[HV_GP_RCX];
	call->rdx = cpu->gps[HV_GP_RDX];
	call->r8 = cpu->gps[HV_GP_R8];
	call->rsi = cpu->gps[HV_GP_RSI];
	call->rdi = cpu->gps[HV_GP_RDI];
	registers_get_xmm(call->xmm_registers, 6);
	deliver(cpu, &message);
}

/* Without decode assists the linear address is known for a fetch only. */
static bool is_fetch(struct cpu *cpu, uint64_t gpa, uint64_t *gva)
{
	const struct svm_save_area *save = &cpu->vmcb0.save;
	struct svm_paging paging = guest_paging(cpu, 0);
	struct svm_guest_memory memory = guest_memory(0);
	struct svm_translation t;

	*gva = save->rip + (svm_code_size(save) == SVM_CODE64 ? 0 : save->cs.base);
	t = svm_translate(&paging, *gva, 0, &memory);
	return t.result == HV_TRANSLATE_GPA_UNMAPPED && t.gpa == gpa;
}

static uint8_t memory_access(struct cpu *cpu, bool fetch)
{
	if (fetch)
		return HV_INTERCEPT_ACCESS_EXECUTE;
	return cpu->vmcb0.control.exit_info1 & SVM_NPF_WRITE ? HV_INTERCEPT_ACCESS_WRITE
							     : HV_INTERCEPT_ACCESS_READ;
}

void message_memory(struct cpu *cpu)
{
	const struct svm_control_area *control = &cpu->vmcb0.control;
	struct hv_message message;
	struct hv_memory_message *memory =
		begin(&message, HV_MESSAGE_UNMAPPED_GPA, sizeof(*memory));
	uint64_t gva;
	bool fetch = is_fetch(cpu, control->exit_info2, &gva);

	memory->header = header(cpu, memory_access(cpu, fetch), 0);
	memory->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	memory->tpr_priority = control->int_ctl & 0xf;
	memory->guest_physical_address = control->exit_info2;
	memory->instruction_byte_count = guest_fetch(cpu, 0, memory->instruction_bytes);
	if (fetch) {
		memory->memory_access_info =
			HV_MEMORY_ACCESS_GVA_VALID | HV_MEMORY_ACCESS_GVA_GPA_VALID;
		memory->guest_virtual_address = gva;
	}
	deliver(cpu, &message);
}

static bool has_error_code(uint8_t vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void message_exception(struct cpu *cpu, uint8_t vector)
{
	const struct svm_vmcb *vmcb = &cpu->vmcb0;
	struct hv_message message;
	struct hv_exception_message *exception =
		begin(&message, HV_MESSAGE_EXCEPTION_INTERCEPT, sizeof(*exception));

	exception->header = header(cpu, HV_INTERCEPT_ACCESS_EXECUTE, 0);
	exception->vector = vector;
	if (has_error_code(vector)) {
		exception->exception_info = HV_EXCEPTION_INFO_ERROR_CODE_VALID;
		exception->error_code = (uint32_t)vmcb->control.exit_info1;
	}
	if (vector == VECTOR_PF)
		exception->exception_parameter = vmcb->control.exit_info2;
	exception->instruction_byte_count = guest_fetch(cpu, 0, exception->instruction_bytes);
	exception->ds_segment = svm_segment_to_hv(&vmcb->save.ds);
	exception->ss_segment = svm_segment_to_hv(&vmcb->save.ss);
	__builtin_memcpy(&exception->rax, cpu->gps, sizeof(cpu->gps));
	exception->rsp = vmcb->save.rsp;
	deliver(cpu, &message);
}

void message_unrecoverable(struct cpu *cpu)
{
	struct hv_message message;
	struct hv_unrecoverable_message *unrecoverable =
		begin(&message, HV_MESSAGE_UNRECOVERABLE_EXCEPTION, sizeof(*unrecoverable));

	unrecoverable->header = header(cpu, HV_INTERCEPT_ACCESS_EXECUTE, 0);
	deliver(cpu, &message);
}

void message_deliverable(struct cpu *cpu, uint8_t interruption_type)
{
	struct hv_message message;
	struct hv_interruption_deliverable_message *deliverable =
		begin(&message, HV_MESSAGE_INTERRUPTION_DELIVERABLE, sizeof(*deliverable));

	deliverable->header = header(cpu, HV_INTERCEPT_ACCESS_READ, 0);
	deliverable->deliverable_type = interruption_type;
	deliver(cpu, &message);
}

void message_invalid_register(struct cpu *cpu)
{
	struct hv_message message;
	struct hv_invalid_register_message *invalid =
		begin(&message, HV_MESSAGE_INVALID_VP_REGISTER_VALUE, sizeof(*invalid));

	invalid->vp_index = cpu->vp_index;
	deliver(cpu, &message);
}
