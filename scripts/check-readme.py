#!/usr/bin/env python3
"""Runs the README's commands against a fresh `latchpay` and compares what they print.

Every `bash` block is fed to one shell, line by line, as a reader pastes it. The `text` block that
follows it says what it prints; `…` stands for anything within a line. A block whose first line is
`sleep 1` only looks, so it is repeated until it prints what it should or patience ends. A
`console` block is a whole run of the demo.
"""

import os
import re
import subprocess
import sys
import time

README = "README.md"
BASE_URL = "http://127.0.0.1:8080"
PATIENCE_S = 30
END = "--end-of-block--"


def blocks(markdown):
    """The fenced blocks of a page: (language, lines)."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL):
        yield match.group(1), match.group(2).splitlines()


def fits(expected, printed):
    """Whether the lines that were printed are the expected ones."""
    if len(expected) != len(printed):
        return False
    for want, line in zip(expected, printed):
        pattern = ".+".join(re.escape(part) for part in want.rstrip().split("…"))
        if not re.fullmatch(pattern, line.rstrip()):
            return False
    return True


class Shell:
    """One bash that keeps its variables and functions from block to block."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def run(self, lines):
        """Feeds lines; answers what they printed."""
        self.process.stdin.write("\n".join([*lines, f"echo {END}", ""]))
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line.strip() == END:
                return printed
            printed.append(line.rstrip("\n"))
        raise SystemExit(f"{README}: the shell ended in {lines}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def look(shell, lines, expected):
    """Runs a block; one that only looks is repeated until it fits."""
    printed = shell.run(lines)
    deadline = time.monotonic() + PATIENCE_S
    while lines[0] == "sleep 1" and not fits(expected, printed) and time.monotonic() < deadline:
        printed = shell.run(lines)
    return printed


def check(where, expected, printed):
    if not fits(expected, printed):
        wanted, got = "\n  ".join(expected), "\n  ".join(printed)
        raise SystemExit(f"{README}: {where}\nshould print\n  {wanted}\nand prints\n  {got}")


def check_blocks(page, base_url):
    shell = Shell()
    checked = 0
    for at, (language, lines) in enumerate(page):
        if language != "bash":
            continue
        lines = [line.replace(BASE_URL, base_url) for line in lines]
        following = page[at + 1] if at + 1 < len(page) else ("", [])
        expected = following[1] if following[0] == "text" else []
        check("\n".join(["the block", *lines]), expected, look(shell, lines, expected))
        checked += 1
    shell.close()
    if checked == 0:
        raise SystemExit(f"{README}: no bash block found")
    return checked


def check_demo(page, binary):
    for language, lines in page:
        if language != "console":
            continue
        if lines[0] != "$ cargo run -- demo":
            raise SystemExit(f"{README}: {lines[0]} is not run by this check")
        demo = subprocess.run(
            [binary, "demo"], stdout=subprocess.PIPE, encoding="utf-8", timeout=120
        )
        check(lines[0], lines[1:], demo.stdout.splitlines())


def main():
    os.environ["LC_ALL"] = "C.UTF-8"
    binary = sys.argv[1]
    with open(README, encoding="utf-8") as page:
        page = list(blocks(page.read()))
    check_demo(page, binary)
    served = subprocess.Popen(
        [binary, "--port", "0", "--in-memory"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        ready = served.stdout.readline().split()
        if len(ready) != 2 or ready[0] != "ready":
            raise SystemExit(f"{binary} did not become ready: {ready}")
        checked = check_blocks(page, ready[1])
    finally:
        served.terminate()
        served.wait()
    print(f"{README}: {checked} blocks and the demo print what the page says")


if __name__ == "__main__":
    main()
