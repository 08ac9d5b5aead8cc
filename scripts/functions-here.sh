# Builds every function for this machine as it is deployed. Read by other scripts, which set `venv`
# and `cargo`; sets `folder` to where the binaries are.
#
# They are built by cargo-lambda from the environment `venv`. Where it cannot be had (no package
# index, or no Linux), plain cargo builds them with the same profile, and this says so.

case $(uname -m) in
aarch64 | arm64) architecture=arm64 ;;
*) architecture=x86_64 ;;
esac
folder=$PWD/target/functions/$architecture

if [ "$(uname -s)" = Linux ] &&
    sh scripts/make-venv.sh "$venv" scripts/lambda-requirements.txt; then
    sh scripts/build-functions.sh "$venv" "$architecture" binary
else
    echo "cargo-lambda cannot be had here, so plain cargo builds the functions" >&2
    folder=$PWD/target/functions/plain
    for function in functions/*/; do
        name=$(basename "$function")
        "$cargo" build --locked --release --manifest-path "$function/Cargo.toml"
        mkdir -p "$folder/$name"
        cp "${CARGO_TARGET_DIR:-target}/release/$name" "$folder/$name/bootstrap"
    done
fi
