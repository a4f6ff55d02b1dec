#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What sidecarctl prints, and that its JSON is JSON: answers.py AT_ROOT. Prints TAP."""

import json
import os
import subprocess
import sys
import tempfile

FILES = {
    "state": "idle\n", "owner": "none\n", "last_error": "none\n", "commands": "0\n",
    "entries": "0\n", "exits": "io 0\nhalt 0\ninterrupt 0\ntotal 0\n",
}
# Quotes, escapes, control characters, good UTF-8, and UTF-8 that is none: a lone byte, an overlong
# form, a surrogate, what is beyond Unicode, and one that is cut off.
HOSTILE = (b'say "no" \\ /\x01\x1f\x7f\t \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 '
           b'\x80 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82\n')
HOSTILE_READ = ('say "no" \\ /\x01\x1f\x7f\t \u00e4\u20ac\U0001f600 '
                '\ufffd \ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd \ufffd\ufffd')

count = failed = 0


def check(name, condition, what=""):
    global count, failed
    count += 1
    failed += not condition
    print(f"{'ok' if condition else 'not ok'} {count} - {name}")
    if not condition:
        print("\n".join("# " + line for line in repr(what).splitlines()))


def write(root, path, data):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def write_cpu(root, node, cpu, **files):
    folder = f"sys/class/misc/mshv_vtl_sidecar{node}/cpu{cpu}"
    for name, data in {**FILES, **files}.items():
        write(root, f"{folder}/{name}", data)
    write(root, f"sys/kernel/debug/sidecar/node{node}/cpu{cpu}/log", f"VP {cpu}: ready\nno end")
    write(root, f"sys/kernel/debug/sidecar/node{node}/cpu{cpu}/fault", "none\n")


def run(root, *arguments, errors="replace"):
    done = subprocess.run([sys.argv[1], root, *arguments], capture_output=True, check=False)
    return done.returncode, *(text.decode(errors=errors) for text in (done.stdout, done.stderr))


def build(root):
    write_cpu(root, 0, 1)
    write_cpu(root, 0, 2, state="busy\n", owner="4711\n", commands="18446744073709551615\n",
              entries="12\n", exits="io 3\nhalt 1\ninterrupt 9\ntotal 4\n",
              guest_ns="2500000000\n", foreign_interrupts="252 7\n253 1\ntotal 8\n")
    write_cpu(root, 1, 9, state="failed\n", last_error=HOSTILE)


def check_json(root):
    status, out, err = run(root, "status", "--json", errors="strict")
    check("status --json ends with 0 and says nothing else", (status, err) == (0, ""), err)
    answer = json.loads(out)
    check("the version is 1", answer["version"] == 1, answer)
    check("both nodes are there",
          [(n["node"], n["device"], n["base_cpu"]) for n in answer["nodes"]] ==
          [(0, "/dev/mshv_vtl_sidecar0", 0), (1, "/dev/mshv_vtl_sidecar1", 8)], answer)
    first, second = answer["nodes"][0]["cpus"]
    check("an idle CPU", first == {
        "cpu": 1, "state": "idle", "owner_pid": None, "commands": 0, "entries": 0, "exits": 0,
        "exits_by": {"io": 0, "halt": 0, "interrupt": 0}, "last_error": None}, first)
    check("a busy CPU, and what not every driver says", second == {
        "cpu": 2, "state": "busy", "owner_pid": 4711, "commands": 2**64 - 1, "entries": 12,
        "exits": 4, "exits_by": {"io": 3, "halt": 1, "interrupt": 9}, "guest_ns": 2500000000,
        "foreign": 8, "foreign_by": {"252": 7, "253": 1}, "last_error": None}, second)
    check("a text with everything in it arrives",
          answer["nodes"][1]["cpus"][0]["last_error"] == HOSTILE_READ, answer["nodes"][1])


def check_table(root):
    status, out, err = run(root, "status")
    lines = [line.split() for line in out.splitlines()]
    check("status ends with 0 and says nothing else", (status, err) == (0, ""), err)
    check("its head", lines[0] == ("NODE BASE CPU STATE OWNER COMMANDS ENTRIES EXITS LAST ERROR"
                                   ).split(), out)
    check("an idle row", lines[1] == "0 0 1 idle - 0 0 0 -".split(), out)
    check("a busy row", lines[2] == "0 0 2 busy 4711 18446744073709551615 12 4 -".split(), out)
    check("a failed row", lines[3][:9] == '1 8 9 failed - 0 0 0 say'.split(), out)


def check_columns(root):
    for node, cpu in (0, 1), (1, 9):
        write(root, f"sys/class/misc/mshv_vtl_sidecar{node}/cpu{cpu}/guest_ns", "0\n")
    out = run(root, "status")[1].splitlines()
    check("time in the guest has a column when every CPU has it",
          out[0].split()[8:10] == ["GUEST-S", "LAST"] and out[2].split()[8] == "2.500", out)
    for node, cpu in (0, 1), (1, 9):
        write(root, f"sys/class/misc/mshv_vtl_sidecar{node}/cpu{cpu}/foreign_interrupts",
              "total 0\n")
    out = run(root, "status")[1].splitlines()
    check("and so have foreign interrupts",
          out[0].split()[9] == "FOREIGN" and out[2].split()[9] == "8", out)


def check_log(root):
    check("the log of all, line by line", run(root, "log") ==
          (0, "".join(f"cpu{n}: VP {n}: ready\ncpu{n}: no end\n" for n in (1, 2, 9)), ""),
          run(root, "log"))
    check("of some", run(root, "log", "9,1")[1].count("ready") == 2)
    check("the report of a fault", run(root, "log", "--fault", "2") == (0, "cpu2: none\n", ""))
    for cpus, text in ("0", "CPU 0: it is the node's base CPU"), ("5", "CPU 5: no node has it"):
        status, out, err = run(root, "log", cpus)
        check(f"no log of {cpus}", status == 1 and out == "" and text in err, (status, out, err))
    os.remove(f"{root}/sys/kernel/debug/sidecar/node0/cpu1/log")
    status, _, err = run(root, "log", "1")
    check("no debugfs", status == 3 and "is debugfs mounted" in err, (status, err))


def check_usage(root):
    for arguments in (["status", "1"], ["status", "--jsn"], ["log", "x"], ["log", "1", "2"],
                      ["top", "--count", "0"], ["top", "--interval", "0.01"], ["top", "now"]):
        status, out, err = run(root, *arguments)
        check("usage: " + " ".join(arguments), status == 2 and out == "" and "usage: " in err,
              (status, out, err))


def check_top(root):
    status, out, err = run(root, "top", "--interval", "0.1", "--count", "2")
    check("top ends after its count, without escapes",
          status == 0 and err == "" and out.count("3 sidecar CPUs: 1 busy, 1 idle, 1 failed") == 2
          and "\033" not in out, (status, out, err))


def main():
    with tempfile.TemporaryDirectory() as root:
        check("no driver", run(root, "status", "--json")[0:2] == (3, ""))
        build(root)
        check_json(root)
        check_table(root)
        check_columns(root)
        check_log(root)
        check_usage(root)
        check_top(root)
    print(f"1..{count}")
    return failed != 0


sys.exit(main())
