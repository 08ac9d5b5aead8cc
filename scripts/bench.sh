#!/bin/sh
# Measures and writes docs/performance.md: bench.sh VENV
#
# The functions are built as they are deployed, by cargo-lambda from VENV. What is measured runs
# best on a machine that does nothing else.
set -eu

venv=$1
cargo=${CARGO:-cargo}

# Beside the functions: each of the two builds has times when it can use but one processor.
RUSTFLAGS="-D warnings" "$cargo" build --locked --release --quiet \
    --manifest-path tests/floor/Cargo.toml --target-dir target/floor &
floor=$!
. scripts/functions-here.sh
wait $floor

LATCHPAY_FUNCTIONS=$folder LATCHPAY_FLOOR=$PWD/target/floor/release \
    exec "$cargo" run --locked --profile bench -p benchmarks -- --write
