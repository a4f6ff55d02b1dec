/* SPDX-License-Identifier: MIT */
/*
 * What a guest and run-vp agree on. For C and for assembly.
 *
 * A guest is a flat binary. It is loaded at GUEST_BASE and started there in 16-bit real mode, CS
 * 0x0800 and IP 0, everything else as after a reset. Its memory begins at GPA 0.
 */
#ifndef GUESTS_PORTS_H
#define GUESTS_PORTS_H

#define GUEST_BASE 0x8000  /* where the image is loaded; below it is scratch */
#define GUEST_INPUT 0x100000 /* where the input is put, when there is any */

#define PORT_PRINT 0x10	       /* OUT, 8 bits: a character to print */
#define PORT_INPUT_LENGTH 0x11 /* IN, 32 bits: bytes of input */
#define PORT_INPUT_ADDRESS 0x12 /* IN, 32 bits: GPA of the input */
#define PORT_INPUT_BYTE 0x13   /* IN, 8 bits: the next byte of the input; 0 after the last */

/*
 * OUT, 32 bits: how many intercepts the guest has caused so far, this one included, and the HLT
 * that must be its next and last instruction.
 */
#define PORT_EXITS 0x1f

/* loop.bin counts its rounds in this 32-bit word. */
#define LOOP_COUNTER 0x7000

#endif
