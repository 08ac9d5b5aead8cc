#!/bin/sh
# Makes a Python environment with what a requirements file lists, unless it is there and not
# outdated: make-venv.sh FOLDER REQUIREMENTS
set -eu

python=${PYTHON:-python3}
folder=$1
requirements=$2

if [ "$folder/ready" -nt "$requirements" ] && [ "$folder/ready" -nt "$0" ]; then
    exit 0
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian and Ubuntu keep it in a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv
    else
        echo "$python cannot make virtual environments: install python3-venv and try again" >&2
        exit 1
    fi
fi

rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
touch "$folder/ready"
