#!/usr/bin/env python3
"""Single registrations, each durable and with its row in the audit, over 64 connections; beside them GRDB alone with the same rows and
the disk's fdatasync, on one file system. usage: measure.py PARVA STORE_BENCHMARK POSTING_CLIENT [SECONDS]"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile

PARVA, STORE, CLIENT = sys.argv[1:4]
SECONDS = float(sys.argv[4]) if len(sys.argv) > 4 else 4
CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of CPU so far, of the controller and of the processes that it plans in."""
    total = 0
    for one in os.listdir("/proc"):
        if one.isdigit():
            with contextlib.suppress(OSError):
                fields = open(f"/proc/{one}/stat").read().rpartition(")")[2].split()
                if pid in (int(one), int(fields[1])):
                    total += int(fields[11]) + int(fields[12])
    return total / TICKS


def main():
    with tempfile.TemporaryDirectory(prefix="parva-registrations-", dir=os.getcwd()) as folder:
        print(subprocess.run([STORE, folder, "2"], capture_output=True, text=True, check=True).stdout, end="")
        process = subprocess.Popen(
            [PARVA, "serve", "--listen", "127.0.0.1:0", "--store", f"{folder}/parva.sqlite", "--log-level", "info"],
            stderr=subprocess.PIPE, text=True)
        try:
            port = next(found[1] for found in (re.search(r"addresses=127\.0\.0\.1:(\d+)", line) for line in process.stderr) if found)
            subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            for run in range(3):
                before = cpu(process.pid)
                rate, median, high = map(float, subprocess.run(
                    [CLIENT, port, str(CONNECTIONS), str(SECONDS), f"run{run}"], capture_output=True, text=True, check=True).stdout.split())
                used = (cpu(process.pid) - before) / (rate * SECONDS) * 1e6
                print(f"POST /v1/workloads, {CONNECTIONS} connections: {rate:.0f} a second, median {median / 1000:.1f} ms, "
                      f"99th percentile {high / 1000:.1f} ms, {used:.0f} us CPU each (planning included); load {os.getloadavg()[0]:.1f}")
        finally:
            process.kill()
            process.wait()


main()
