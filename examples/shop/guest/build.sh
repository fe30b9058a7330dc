#!/usr/bin/env bash
# Builds the guest into built/, and built/MANIFEST, which names the toolchain and the digests of the sources and of the
# component. The same sources and toolchain give the same bytes in the same folder. Elsewhere they differ as long as
# `wavetank-guest` is a path dependency, because cargo hashes its path.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"
runtime=$(cd ../../../guests/rt && pwd -P) # a path dependency; in a project of yours there is none
project=$(cd .. && pwd -P)

# Panic messages name source files, and they must not contain a path of this machine.
unset RUSTFLAGS CARGO_BUILD_TARGET CARGO_TARGET_DIR
CARGO_ENCODED_RUSTFLAGS=$(printf -- '--remap-path-prefix=%s\x1f' \
    "$project=/shop" "$runtime=/wavetank-guest" "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$(rustc --print sysroot)=/rustc")
export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
cargo build --locked --release --target wasm32-wasip2

mkdir -p built
cp target/wasm32-wasip2/release/customer.wasm built/
{
    echo "toolchain $(rustc --version)"
    # The sources with their names, one digest for all of them.
    sources=$(sha256sum Cargo.toml Cargo.lock build.rs build.sh src/*.rs ../schema/shop.cgr)
    echo "sources $(sha256sum <<< "$sources" | cut -d' ' -f1)"
    echo "customer.wasm $(sha256sum built/customer.wasm | cut -d' ' -f1)"
} > built/MANIFEST
cat built/MANIFEST
