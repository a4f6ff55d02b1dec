// SPDX-License-Identifier: MIT
#include "messages.h"

#include "segment.h"

#define DR7_ENABLED 0xffull /* any of the four breakpoints, local or global */

/* An empty message of this type; returns its payload. */
static void *begin(struct hv_message *message, uint32_t type, uint8_t length)
{
	__builtin_memset(message, 0, sizeof(*message));
	message->header.type = type;
	message->header.length = length;
	return message->payload;
}

static uint16_t execution_state(const struct svm_vp *vp)
{
	const struct svm_save_area *save = &vp->vmcb->save;
	uint16_t state = save->cpl & HV_EXECUTION_STATE_CPL_MASK;

	if (save->cr0 & CR0_PE)
		state |= HV_EXECUTION_STATE_CR0_PE;
	if (save->cr0 & CR0_AM)
		state |= HV_EXECUTION_STATE_CR0_AM;
	if (save->efer & EFER_LMA)
		state |= HV_EXECUTION_STATE_EFER_LMA;
	if (save->dr7 & DR7_ENABLED)
		state |= HV_EXECUTION_STATE_DEBUG_ACTIVE;
	if (vp->pending_interruption & HV_PENDING_INTERRUPTION_PENDING)
		state |= HV_EXECUTION_STATE_INTERRUPTION_PENDING;
	if (vp->vmcb->control.int_state & SVM_INT_STATE_SHADOW)
		state |= HV_EXECUTION_STATE_INTERRUPT_SHADOW;
	return state;
}

static struct hv_intercept_header header(const struct svm_stop *stop, uint8_t access)
{
	const struct svm_vmcb *vmcb = stop->vp->vmcb;
	uint8_t cr8 = vmcb->control.int_ctl & 0xf;

	return (struct hv_intercept_header){
		.vp_index = stop->vp->vp_index,
		.instruction_length_and_cr8 =
			(uint8_t)(stop->length | cr8 << HV_INTERCEPT_CR8_SHIFT),
		.intercept_access_type = access,
		.execution_state = execution_state(stop->vp),
		.cs_segment = svm_segment_to_hv(&vmcb->save.cs),
		.rip = vmcb->save.rip,
		.rflags = vmcb->save.rflags,
	};
}

static uint8_t copy_instruction(uint8_t bytes[16], const struct svm_stop *stop)
{
	for (unsigned int i = 0; i < stop->byte_count; i++)
		bytes[i] = stop->bytes[i];
	return stop->byte_count;
}

static void io_string(struct hv_io_message *io, const struct svm_stop *stop)
{
	const struct svm_save_area *save = &stop->vp->vmcb->save;

	io->access_info |= HV_IO_ACCESS_STRING;
	io->ds_segment = svm_segment_to_hv(&save->ds);
	io->es_segment = svm_segment_to_hv(&save->es);
	io->instruction_byte_count = copy_instruction(io->instruction_bytes, stop);
}

/* APM vol. 2, 15.10.2. */
void svm_message_io(struct hv_message *message, const struct svm_stop *stop)
{
	struct hv_io_message *io = begin(message, HV_MESSAGE_IO_PORT_INTERCEPT, sizeof(*io));
	uint64_t info = stop->vp->vmcb->control.exit_info1;

	io->header = header(stop, info & SVM_IO_IN ? HV_INTERCEPT_ACCESS_READ
						   : HV_INTERCEPT_ACCESS_WRITE);
	io->port_number = (uint16_t)(info >> SVM_IO_PORT_SHIFT);
	io->access_info = (info & SVM_IO_SIZE_MASK) >> SVM_IO_SIZE_SHIFT;
	if (info & SVM_IO_REP)
		io->access_info |= HV_IO_ACCESS_REP;
	if (info & SVM_IO_STRING)
		io_string(io, stop);
	io->rax = stop->gps[SIDECAR_GP_RAX];
	io->rcx = stop->gps[SIDECAR_GP_RCX];
	io->rsi = stop->gps[SIDECAR_GP_RSI];
	io->rdi = stop->gps[SIDECAR_GP_RDI];
}

void svm_message_msr(struct hv_message *message, const struct svm_stop *stop)
{
	struct hv_msr_message *msr = begin(message, HV_MESSAGE_MSR_INTERCEPT, sizeof(*msr));
	bool write = stop->vp->vmcb->control.exit_info1 & SVM_MSR_WRITE;

	msr->header = header(stop, write ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ);
	msr->msr_number = (uint32_t)stop->gps[SIDECAR_GP_RCX];
	msr->rdx = stop->gps[SIDECAR_GP_RDX];
	msr->rax = stop->gps[SIDECAR_GP_RAX];
}

void svm_message_cpuid(struct hv_message *message, const struct svm_stop *stop,
		       const struct cpuid_words *defaults)
{
	struct hv_cpuid_message *cpuid = begin(message, HV_MESSAGE_CPUID_INTERCEPT, sizeof(*cpuid));

	cpuid->header = header(stop, HV_INTERCEPT_ACCESS_EXECUTE);
	cpuid->rax = stop->gps[SIDECAR_GP_RAX];
	cpuid->rcx = stop->gps[SIDECAR_GP_RCX];
	cpuid->rdx = stop->gps[SIDECAR_GP_RDX];
	cpuid->rbx = stop->gps[SIDECAR_GP_RBX];
	cpuid->default_result_rax = defaults->eax;
	cpuid->default_result_rcx = defaults->ecx;
	cpuid->default_result_rdx = defaults->edx;
	cpuid->default_result_rbx = defaults->ebx;
}

void svm_message_halt(struct hv_message *message, const struct svm_stop *stop)
{
	struct hv_halt_message *halt = begin(message, HV_MESSAGE_HALT, sizeof(*halt));

	halt->header = header(stop, HV_INTERCEPT_ACCESS_EXECUTE);
}

void svm_message_hypercall(struct hv_message *message, const struct svm_stop *stop)
{
	struct hv_hypercall_message *call =
		begin(message, HV_MESSAGE_HYPERCALL_INTERCEPT, sizeof(*call));

	call->header = header(stop, HV_INTERCEPT_ACCESS_EXECUTE);
	call->rax = stop->gps[SIDECAR_GP_RAX];
	call->rbx = stop->gps[SIDECAR_GP_RBX];
	call->rcx = stop->gps[SIDECAR_GP_RCX];
	call->rdx = stop->gps[SIDECAR_GP_RDX];
	call->r8 = stop->gps[SIDECAR_GP_R8];
	call->rsi = stop->gps[SIDECAR_GP_RSI];
	call->rdi = stop->gps[SIDECAR_GP_RDI];
	__builtin_memcpy(call->xmm_registers, stop->fx->xmm, sizeof(call->xmm_registers));
}

void svm_message_memory(struct hv_message *message, const struct svm_stop *stop,
			const struct svm_memory_access *access)
{
	uint32_t type = access->present ? HV_MESSAGE_GPA_INTERCEPT : HV_MESSAGE_UNMAPPED_GPA;
	struct hv_memory_message *memory = begin(message, type, sizeof(*memory));

	memory->header = header(stop, access->access);
	memory->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	memory->instruction_byte_count = copy_instruction(memory->instruction_bytes, stop);
	memory->tpr_priority = stop->vp->vmcb->control.int_ctl & 0xf;
	memory->guest_physical_address = access->gpa;
	if (!access->gva_valid)
		return;
	memory->memory_access_info = HV_MEMORY_ACCESS_GVA_VALID | HV_MEMORY_ACCESS_GVA_GPA_VALID;
	memory->guest_virtual_address = access->gva;
}

static void exception_gps(struct hv_exception_message *exception, const struct svm_stop *stop)
{
	exception->rax = stop->gps[SIDECAR_GP_RAX];
	exception->rcx = stop->gps[SIDECAR_GP_RCX];
	exception->rdx = stop->gps[SIDECAR_GP_RDX];
	exception->rbx = stop->gps[SIDECAR_GP_RBX];
	exception->rsp = stop->vp->vmcb->save.rsp;
	exception->rbp = stop->gps[SIDECAR_GP_RBP];
	exception->rsi = stop->gps[SIDECAR_GP_RSI];
	exception->rdi = stop->gps[SIDECAR_GP_RDI];
	__builtin_memcpy(&exception->r8, &stop->gps[SIDECAR_GP_R8], 8 * sizeof(uint64_t));
}

/* APM vol. 2, table 8-1. */
static bool has_error_code(uint8_t vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

void svm_message_exception(struct hv_message *message, const struct svm_stop *stop, uint8_t vector,
			   uint64_t parameter)
{
	struct hv_exception_message *exception =
		begin(message, HV_MESSAGE_EXCEPTION_INTERCEPT, sizeof(*exception));
	const struct svm_vmcb *vmcb = stop->vp->vmcb;

	exception->header = header(stop, HV_INTERCEPT_ACCESS_EXECUTE);
	exception->vector = vector;
	if (has_error_code(vector)) {
		exception->exception_info = HV_EXCEPTION_INFO_ERROR_CODE_VALID;
		exception->error_code = (uint32_t)vmcb->control.exit_info1;
	}
	exception->exception_parameter = parameter;
	exception->instruction_byte_count = copy_instruction(exception->instruction_bytes, stop);
	exception->ds_segment = svm_segment_to_hv(&vmcb->save.ds);
	exception->ss_segment = svm_segment_to_hv(&vmcb->save.ss);
	exception_gps(exception, stop);
}

void svm_message_unrecoverable(struct hv_message *message, const struct svm_stop *stop)
{
	struct hv_unrecoverable_message *unrecoverable =
		begin(message, HV_MESSAGE_UNRECOVERABLE_EXCEPTION, sizeof(*unrecoverable));

	unrecoverable->header = header(stop, HV_INTERCEPT_ACCESS_READ);
}

void svm_message_deliverable(struct hv_message *message, const struct svm_stop *stop,
			     uint8_t interruption_type)
{
	struct hv_interruption_deliverable_message *deliverable =
		begin(message, HV_MESSAGE_INTERRUPTION_DELIVERABLE, sizeof(*deliverable));

	deliverable->header = header(stop, HV_INTERCEPT_ACCESS_READ);
	deliverable->deliverable_type = interruption_type;
}

void svm_message_invalid_register(struct hv_message *message, uint32_t vp_index)
{
	struct hv_invalid_register_message *invalid =
		begin(message, HV_MESSAGE_INVALID_VP_REGISTER_VALUE, sizeof(*invalid));

	invalid->vp_index = vp_index;
}
