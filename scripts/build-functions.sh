#!/bin/sh
# Builds every function as it is deployed: build-functions.sh VENV ARCHITECTURE FORMAT
#
# VENV is an environment that has cargo-lambda, which brings the linker for Lambda's glibc; rustup
# adds the target if it is not there. ARCHITECTURE is arm64 or x86_64, FORMAT is zip or binary.
# Leaves target/functions/ARCHITECTURE/NAME/bootstrap.zip, or bootstrap.
set -eu

venv=$1
architecture=$2
format=$3

# With the glibc of Amazon Linux 2023, on which `provided.al2023` stands; the one of this machine may
# be newer.
glibc=2.34
case $architecture in
arm64) target=aarch64-unknown-linux-gnu.$glibc ;;
x86_64) target=x86_64-unknown-linux-gnu.$glibc ;;
*)
    echo "$architecture is neither arm64 nor x86_64" >&2
    exit 1
    ;;
esac

# By their places, because a published package has the name of one of them too.
set --
for function in functions/*/; do
    set -- "$@" --package "path+file://$PWD/${function%/}"
done

PATH="$PWD/$venv/bin:$PATH"
export PATH
exec "${CARGO:-cargo}" lambda build --locked --release --target "$target" \
    --output-format "$format" --lambda-dir "target/functions/$architecture" "$@"
