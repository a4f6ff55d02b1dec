#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes sidecar kernels that fail on purpose, from a good one: driver_images.py DEBUG ELF FOLDER.

DEBUG has the symbols, ELF is what the driver loads; both have the same code at the same addresses.
Each broken image has one function replaced, by code that acts on CPU 2 alone where that is said:
struct cpu, which RDI points to, begins with the CPU's number. log_line is the last thing that a CPU
calls before its first IDLE.
"""
import struct
import subprocess
import sys

HALT = b"\xfa\xf4\xeb\xfc"                    # cli; hlt; jmp -4
SPIN = b"\xfa\xf3\x90\xeb\xfb"                # cli; pause; jmp -5
FAULT = b"\x0f\x0b"                           # ud2
RETURN_FALSE = b"\x31\xc0\xc3"                # xor eax, eax; ret
RETURN = b"\xc3"


def on_cpu_2(code):
    """cmp dword [rdi], 2; je over the ret; ret; code"""
    return b"\x83\x3f\x02\x74\x01" + RETURN + code


def with_cpu_2(code):
    """The same where RDI may be NULL: test rdi, rdi; je ret; cmp dword [rdi], 2; jne ret; code"""
    after = len(code)
    return (b"\x48\x85\xff\x74" + bytes([5 + after]) + b"\x83\x3f\x02\x75" + bytes([after]) +
            code + RETURN)


BROKEN = {
    "refuse": ("kernel_main", RETURN_FALSE),
    "hang": ("kernel_main", HALT),
    "no-start": ("log_line", with_cpu_2(HALT)),
    "halt": ("command_execute", on_cpu_2(HALT)),
    "spin": ("command_execute", on_cpu_2(SPIN)),
    "fault": ("command_execute", on_cpu_2(FAULT)),
    "no-leave": ("backend_cpu_stop", HALT),
}


def symbols(path):
    lines = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in lines.splitlines()
            if len(line.split()) == 3}


def file_offset(image, address):
    """Where in the file a loaded address is: ELF64 program headers, PT_LOAD."""
    table, = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    for i in range(count):
        kind, _, offset, start, _, length = struct.unpack_from("<IIQQQQ", image, table + i * size)
        if kind == 1 and start <= address < start + length:
            return address - start + offset
    sys.exit(f"address {address:#x} is in no segment")


def main():
    debug, elf, folder = sys.argv[1:]
    names = symbols(debug)
    with open(elf, "rb") as file:
        good = file.read()
    for name, (function, code) in BROKEN.items():
        image = bytearray(good)
        offset = file_offset(good, names[function])
        image[offset:offset + len(code)] = code
        with open(f"{folder}/{name}.elf", "wb") as file:
            file.write(image)


main()
