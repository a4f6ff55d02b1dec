/* SPDX-License-Identifier: MIT */
/*
 * Events between Hyper-V's words (abi: PendingInterruption, PendingEvent0) and the VMCB's EVENTINJ
 * and EXITINTINFO (APM vol. 2, 15.20 and 15.7.2).
 */
#ifndef SVM_EVENTS_H
#define SVM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/hv.h>

/*
 * May a VMM set this word? On true *word is what to store: 0 when it is not pending. Refused:
 * types and vectors that EVENTINJ cannot express, reserved bits, an event of a nested guest.
 */
bool svm_admit_interruption(uint64_t *word);

/* The same for PendingEvent0, of which exceptions and external interrupts can be expressed. */
bool svm_admit_event(struct hv_u128 *event);

/*
 * EVENTINJ for an admitted word; 0 for 0. AMD-V pushes the VMCB's RIP, so for the software types
 * the caller first advances RIP by svm_interruption_length.
 */
uint64_t svm_inject_interruption(uint64_t word);
uint64_t svm_inject_event(const struct hv_u128 *event);

/* Bytes by which RIP must be advanced before the injection; 0 for events that are not software's.
 */
unsigned int svm_interruption_length(uint64_t word);

/*
 * PendingInterruption for an event whose delivery an exit interrupted; 0 when EXITINTINFO is not
 * valid. length is that of the INT instruction, when it was one and its length is known; RIP then
 * still points at the instruction.
 */
uint64_t svm_interruption_from_exit(uint64_t exit_int_info, unsigned int length);

#endif
