#!/usr/bin/env python3
"""Looks at the pages with Debian's Chromium: browser.py BINARY VENV tests|pictures [ARGUMENT …].

Installs what is missing. When Chromium or a package cannot be had, nothing is checked, and this
says so; whatever else goes wrong fails.
"""

import os
import shutil
import subprocess
import sys

FOLDER = "tests/browser"
REQUIREMENTS = f"{FOLDER}/requirements.txt"
CHROMIUM = "/usr/bin/chromium"
# How many programs and browsers run at a time: tests mostly wait until a page asks again.
WORKERS = 2


def install_chromium():
    """Answers whether Chromium is there, with Debian's package where it may be installed."""
    if os.path.exists(CHROMIUM):
        return True
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "-y", "chromium"]):
        if subprocess.run(["apt-get", *command], env=quiet).returncode != 0:
            return False
    return os.path.exists(CHROMIUM)


def install_packages(venv):
    """Makes the environment unless it is there and not outdated; answers whether it is."""
    made = subprocess.run(["sh", "scripts/make-venv.sh", venv, REQUIREMENTS])
    return made.returncode == 0


def main():
    binary, venv, what, *arguments = sys.argv[1:]
    if not install_chromium():
        print("Chromium is missing and cannot be installed: the pages are NOT checked in a browser")
        return 0
    if not install_packages(venv):
        print("Playwright cannot be installed: the pages are NOT checked in a browser")
        return 0
    programs = {
        "tests": ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"-n{WORKERS}", FOLDER],
        "pictures": [f"{FOLDER}/pictures.py"],
    }
    environment = {
        **os.environ,
        "LATCHPAY": os.path.abspath(binary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    python = f"{venv}/bin/python"
    return subprocess.run([python, *programs[what], *arguments], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
