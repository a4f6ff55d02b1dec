// SPDX-License-Identifier: MIT
#include "events.h"

#include "vmcb.h"

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define EXCEPTION_COUNT 32

static unsigned int word_type(uint64_t word)
{
	return (word & HV_PENDING_INTERRUPTION_TYPE_MASK) >> HV_PENDING_INTERRUPTION_TYPE_SHIFT;
}

static unsigned int word_vector(uint64_t word)
{
	return (word & HV_PENDING_INTERRUPTION_VECTOR_MASK) >> HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
}

static bool is_exception_vector(unsigned int vector)
{
	return vector < EXCEPTION_COUNT && vector != VECTOR_NMI;
}

static bool vector_fits_type(unsigned int type, unsigned int vector)
{
	switch (type) {
	case HV_INTERRUPTION_TYPE_EXTERNAL:
	case HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT:
		return vector < 256;
	case HV_INTERRUPTION_TYPE_NMI:
		return vector == VECTOR_NMI;
	case HV_INTERRUPTION_TYPE_EXCEPTION:
		return is_exception_vector(vector);
	case HV_INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION:
		return vector == VECTOR_DB;
	case HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION:
		return vector == VECTOR_BP || vector == VECTOR_OF;
	default:
		return false;
	}
}

bool svm_admit_interruption(uint64_t *word)
{
	uint64_t value = *word;
	unsigned int type = word_type(value);

	if (!(value & HV_PENDING_INTERRUPTION_PENDING)) {
		*word = 0;
		return true;
	}
	if (value & (HV_PENDING_INTERRUPTION_RESERVED_MASK | HV_PENDING_INTERRUPTION_NESTED))
		return false;
	if ((value & HV_PENDING_INTERRUPTION_ERROR_CODE_VALID) &&
	    type != HV_INTERRUPTION_TYPE_EXCEPTION)
		return false;
	return vector_fits_type(type, word_vector(value));
}

static bool admit_exception(const struct hv_u128 *event)
{
	unsigned int vector =
		(event->low & HV_EVENT_EXCEPTION_VECTOR_MASK) >> HV_EVENT_EXCEPTION_VECTOR_SHIFT;

	return !(event->low & HV_EVENT_EXCEPTION_RESERVED_MASK) && is_exception_vector(vector);
}

bool svm_admit_event(struct hv_u128 *event)
{
	if (!(event->low & HV_EVENT_PENDING)) {
		*event = (struct hv_u128){0, 0};
		return true;
	}
	switch ((event->low & HV_EVENT_TYPE_MASK) >> HV_EVENT_TYPE_SHIFT) {
	case HV_EVENT_TYPE_EXCEPTION:
		return admit_exception(event);
	case HV_EVENT_TYPE_EXTERNAL_INTERRUPT:
		return !(event->low & HV_EVENT_INTERRUPT_RESERVED_MASK) && !event->high;
	default:
		return false;
	}
}

static uint64_t injection(unsigned int type, uint64_t vector)
{
	return SVM_EVENT_VALID | ((uint64_t)type << SVM_EVENT_TYPE_SHIFT) | vector;
}

static uint64_t with_error_code(uint64_t event, uint64_t code)
{
	return event | SVM_EVENT_ERROR_CODE_VALID | (code << SVM_EVENT_ERROR_CODE_SHIFT);
}

/* Software exceptions and ICEBP are exceptions to EVENTINJ; only INT n has a type of its own. */
static unsigned int injection_type(unsigned int type)
{
	switch (type) {
	case HV_INTERRUPTION_TYPE_EXTERNAL:
		return SVM_EVENT_TYPE_INTERRUPT;
	case HV_INTERRUPTION_TYPE_NMI:
		return SVM_EVENT_TYPE_NMI;
	case HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT:
		return SVM_EVENT_TYPE_SOFTWARE;
	default:
		return SVM_EVENT_TYPE_EXCEPTION;
	}
}

uint64_t svm_inject_interruption(uint64_t word)
{
	uint64_t event;

	if (!(word & HV_PENDING_INTERRUPTION_PENDING))
		return 0;
	event = injection(injection_type(word_type(word)), word_vector(word));
	if (word & HV_PENDING_INTERRUPTION_ERROR_CODE_VALID)
		event = with_error_code(event, word >> HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT);
	return event;
}

uint64_t svm_inject_event(const struct hv_u128 *event)
{
	uint64_t word = event->low;
	uint64_t result;

	if (!(word & HV_EVENT_PENDING))
		return 0;
	if ((word & HV_EVENT_TYPE_MASK) >> HV_EVENT_TYPE_SHIFT == HV_EVENT_TYPE_EXTERNAL_INTERRUPT)
		return injection(SVM_EVENT_TYPE_INTERRUPT,
				 (word & HV_EVENT_INTERRUPT_VECTOR_MASK) >>
					 HV_EVENT_INTERRUPT_VECTOR_SHIFT);
	result = injection(SVM_EVENT_TYPE_EXCEPTION, (word & HV_EVENT_EXCEPTION_VECTOR_MASK) >>
							     HV_EVENT_EXCEPTION_VECTOR_SHIFT);
	if (word & HV_EVENT_EXCEPTION_ERROR_CODE_VALID)
		result = with_error_code(result, word >> HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT);
	return result;
}

unsigned int svm_interruption_length(uint64_t word)
{
	if (!(word & HV_PENDING_INTERRUPTION_PENDING))
		return 0;
	if (word_type(word) < HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		return 0;
	return (word & HV_PENDING_INTERRUPTION_LENGTH_MASK) >> HV_PENDING_INTERRUPTION_LENGTH_SHIFT;
}

/* Re-injecting #BP or #OF as a plain exception would push the RIP of INT3 itself. */
static unsigned int interruption_type(unsigned int event_type, unsigned int vector)
{
	switch (event_type) {
	case SVM_EVENT_TYPE_INTERRUPT:
		return HV_INTERRUPTION_TYPE_EXTERNAL;
	case SVM_EVENT_TYPE_NMI:
		return HV_INTERRUPTION_TYPE_NMI;
	case SVM_EVENT_TYPE_SOFTWARE:
		return HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT;
	default:
		return vector == VECTOR_BP || vector == VECTOR_OF
			       ? HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION
			       : HV_INTERRUPTION_TYPE_EXCEPTION;
	}
}

uint64_t svm_interruption_from_exit(uint64_t exit_int_info, unsigned int length)
{
	uint64_t vector = exit_int_info & SVM_EVENT_VECTOR_MASK;
	unsigned int type = interruption_type(
		(exit_int_info & SVM_EVENT_TYPE_MASK) >> SVM_EVENT_TYPE_SHIFT, vector);
	uint64_t word = HV_PENDING_INTERRUPTION_PENDING;

	if (!(exit_int_info & SVM_EVENT_VALID))
		return 0;
	word |= (uint64_t)type << HV_PENDING_INTERRUPTION_TYPE_SHIFT;
	word |= vector << HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
	if (type >= HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		word |= (uint64_t)(length & 0xf) << HV_PENDING_INTERRUPTION_LENGTH_SHIFT;
	if ((exit_int_info & SVM_EVENT_ERROR_CODE_VALID) && type == HV_INTERRUPTION_TYPE_EXCEPTION)
		word |= HV_PENDING_INTERRUPTION_ERROR_CODE_VALID |
			(exit_int_info >> SVM_EVENT_ERROR_CODE_SHIFT
						  << HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT);
	return word;
}
