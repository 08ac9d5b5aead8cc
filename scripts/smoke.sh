#!/bin/sh
# Builds every function for this machine and drives the binaries as Lambda does: smoke.sh VENV
#
# They are built as they are deployed, by cargo-lambda from VENV. Where it cannot be had (no package
# index, or no Linux), plain cargo builds them with the same profile, and this says so.
set -eu

venv=$1
cargo=${CARGO:-cargo}

case $(uname -m) in
aarch64 | arm64) architecture=arm64 ;;
*) architecture=x86_64 ;;
esac
folder=$PWD/target/functions/$architecture

if [ "$(uname -s)" = Linux ] &&
    sh scripts/make-venv.sh "$venv" scripts/lambda-requirements.txt; then
    sh scripts/build-functions.sh "$venv" "$architecture" binary
else
    echo "smoke: cargo-lambda cannot be had here, so plain cargo builds the functions" >&2
    folder=$PWD/target/functions/plain
    for function in functions/*/; do
        name=$(basename "$function")
        "$cargo" build --locked --release --manifest-path "$function/Cargo.toml"
        mkdir -p "$folder/$name"
        cp "${CARGO_TARGET_DIR:-target}/release/$name" "$folder/$name/bootstrap"
    done
fi

LATCHPAY_FUNCTIONS=$folder exec "$cargo" test --locked --workspace --test smoke
