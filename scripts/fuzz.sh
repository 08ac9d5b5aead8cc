#!/usr/bin/env sh
# Runs each fuzz target for a while and stops at the first finding: fuzz.sh SECONDS [TARGET]...
# The pinned toolchain is a stable one, so the instrumentation is LLVM's own pass, asked for by
# options that are stable; without a sanitizer, because the project has no unsafe code.
set -eu
cd "$(dirname "$0")/.."
CARGO=${CARGO:-cargo}
SECONDS_EACH=$1
shift

# The longest input that is tried, in bytes; a request's bound is beyond it and has tests of its own.
LEN_MAX=4096
# A run that holds more memory than this is a finding, in MiB.
RSS_MB_MAX=1024
# One input that takes longer than this is a finding, in seconds.
INPUT_S_MAX=10
BUILT=target/fuzz
FOUND=$BUILT/found

if ! command -v "${CXX:-c++}" >/dev/null 2>&1; then
    echo "libFuzzer is C++ and there is no C++ compiler: install g++ (Debian: apt-get install g++)," >&2
    echo "or name another compiler in CXX." >&2
    exit 1
fi

# With --target, the options reach neither build scripts nor procedural macros.
HOST=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    RUSTFLAGS="$RUSTFLAGS -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="$RUSTFLAGS --cfg fuzzing -Cdebug-assertions"
export RUSTFLAGS
"$CARGO" build --locked -p fuzz --features libfuzzer --bins --profile fuzz \
    --target "$HOST" --target-dir "$BUILT"

if [ $# -eq 0 ]; then
    set -- $(ls tests/fuzz/corpus)
fi
for target in "$@"; do
    echo "fuzzing $target for $SECONDS_EACH s"
    program=$BUILT/$HOST/fuzz/fuzz_$target
    mkdir -p "$BUILT/corpus/$target" "$FOUND"
    # What is new goes into the first folder; the corpus of the project stays as it is.
    if ! "$program" -max_total_time="$SECONDS_EACH" -max_len=$LEN_MAX -rss_limit_mb=$RSS_MB_MAX \
        -timeout=$INPUT_S_MAX -print_final_stats=1 -artifact_prefix="$FOUND/$target-" \
        "$BUILT/corpus/$target" "tests/fuzz/corpus/$target"; then
        echo "A property of $target does not hold. To run the input again:" >&2
        echo "  $program $(ls -t "$FOUND/$target"-* | head -n 1)" >&2
        exit 1
    fi
done
