#!/bin/sh
# Measures and writes docs/performance.md: bench.sh VENV
#
# The functions are built as they are deployed, by cargo-lambda from VENV. What is measured runs
# best on a machine that does nothing else.
set -eu

venv=$1
cargo=${CARGO:-cargo}
. scripts/functions-here.sh

RUSTFLAGS="-D warnings" "$cargo" build --locked --release --manifest-path tests/floor/Cargo.toml \
    --target-dir target/floor

LATCHPAY_FUNCTIONS=$folder LATCHPAY_FLOOR=$PWD/target/floor/release \
    exec "$cargo" run --locked --profile bench -p benchmarks -- --write
