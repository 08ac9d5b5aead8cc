#!/bin/sh
# Builds every function for this machine and drives the binaries as Lambda does: smoke.sh VENV
set -eu

venv=$1
cargo=${CARGO:-cargo}
. scripts/functions-here.sh

LATCHPAY_FUNCTIONS=$folder exec "$cargo" test --locked --workspace --test smoke
