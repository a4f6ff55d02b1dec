#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""usage: locks.py SIDECAR.KO. R16: Linux's own atomics are nowhere near memory that is shared.

Linux lists the LOCK prefix of each of its atomics in .smp_locks and patches it away while one CPU
is online. So the functions that these entries lie in are the ones that use them, inlined or not;
each must be known here as one that touches Linux's own memory only. The compiler's builtins
(driver/shm.h) leave no entry.
"""
import bisect
import re
import subprocess
import sys

# References of partitions and the counters of generations and owners: partition.c.
KNOWN = {
    'scdrv_partition_get', 'scdrv_partition_get_fd', 'scdrv_partition_put', 'scdrv_partition_bind',
    'scdrv_partition_unbind', 'scdrv_partition_create', 'partition_release', 'partition_ioctl',
    'partition_unmap', 'flush_translations', 'write_state', 'range_create', 'range_free',
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def functions(module):
    """Section name to a sorted list of (offset, name)."""
    names = dict(re.findall(r'^\s*\[\s*(\d+)\]\s+(\S+)', output('readelf', '-SW', module),
                            re.MULTILINE))
    table = {}
    for line in output('readelf', '-sW', module).splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[3] == 'FUNC' and fields[6] in names:
            table.setdefault(names[fields[6]], []).append((int(fields[1], 16), fields[7]))
    return {section: sorted(entries) for section, entries in table.items()}


def locked(module):
    """The functions that the entries of .smp_locks lie in."""
    text, table, found = output('readelf', '-rW', module), functions(module), set()
    part = text.split("'.rela.smp_locks'")[1].split('Relocation section')[0]
    for section, offset in re.findall(r'R_X86_64_PC32\s+\S+\s+(\S+) \+ ([0-9a-f]+)', part):
        entries = table[section]
        at = bisect.bisect_right(entries, (int(offset, 16), '\x7f')) - 1
        found.add(re.sub(r'\..*', '', entries[at][1]))
    return found


def main(module):
    found = locked(module)
    strangers = sorted(found - KNOWN)
    print('not ok' if strangers else 'ok',
          "1 - R16: Linux's LOCK prefix is only where memory is Linux's own")
    for name in strangers:
        print(f'# {name} uses an atomic of Linux: see driver/shm.h')
    print('ok' if found & KNOWN else 'not ok', '2 - the known ones are seen, so others would be')
    print('1..2')


main(*sys.argv[1:])
