#!/usr/bin/env bash
# Builds every guest into built/, and built/MANIFEST, which records the sources and the toolchain. The same
# sources and toolchain give the same bytes, wherever the repository lies.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"
root=$(cd .. && pwd -P)

# Panic messages name source files, and they must not contain a path of this machine. The flags are set here
# and not in a cargo config, because only this script knows the paths. Nothing else may add flags.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
unset RUSTFLAGS CARGO_BUILD_TARGET
export CARGO_TARGET_DIR=$root/guests/target
# Encoded, that is separated by 0x1f, so that a path may contain blanks.
CARGO_ENCODED_RUSTFLAGS=$(printf -- '--remap-path-prefix=%s\x1f' \
    "$root=/wavetank" "$cargo_home=/cargo" "$sysroot=/rustc")
# Guests travel over links, so the linker encodes each address in as few bytes as it needs, not always in five.
export CARGO_ENCODED_RUSTFLAGS+=-Clink-arg=--compress-relocations

# build PROFILE NAME -p PACKAGE: builds one guest of its package. The file of a library has no dashes in its name.
build() {
    cargo build --locked --target wasm32-wasip2 --profile "$1" "${@:3}"
    local file=target/wasm32-wasip2/$1/$2.wasm
    [ -f "$file" ] || file=target/wasm32-wasip2/$1/${2//-/_}.wasm
    cp "$file" "built/$2.wasm"
    fresh+=("built/$2.wasm")
}

mkdir -p built
fresh=()
# The children come first, because other guests embed them.
build tiny child-tiny -p child-tiny
for child in child-echo relay; do
    for transport in "" -stdio; do build release $child$transport -p $child; done
done
for child in child-copy child-slow; do build release $child -p child-stdio; done
for guest in pid0 pid0-stdio pid0-tiny pid0-tiny-stdio; do build release $guest -p pid0; done
for guest in backpressure full-duplex; do build release $guest -p streams; done
for guest in chain cleanup crowd pipeline probe raw-connection server streamer till; do build release $guest -p $guest; done
for fault in handle overwrite drop spin; do build release fault-$fault -p faults; done
build release bugs -p bugs
build release hostile -p hostile
build release conformance -p conformance

# Only now: if a build fails, the last one stays whole for the guests and tests that embed it.
for component in built/*.wasm; do
    [[ " ${fresh[*]} " == *" $component "* ]] || rm "$component"
done

if grep -laF -e "$root" -e "$cargo_home" -e "$sysroot" -e "$HOME/" built/*.wasm; then
    echo "these guests name a path of this machine" >&2
    exit 1
fi

# Lists the sources by path, each with its digest. The manifest holds the digest of this list.
sources() {
    cd "$root"
    {
        find guests -type f ! -path 'guests/target/*' ! -path 'guests/built/*'
        printf '%s\n' wit/streams.wit wit/guest.wit capnp/peer.cgr capnp/sink.cgr
    } | sort | tr '\n' '\0' | xargs -0 sha256sum --
}
(
    echo "toolchain $(rustc --version)"
    echo "source $(sources | sha256sum | cut -d' ' -f1)"
    cd built
    for component in *.wasm; do
        echo "component $component $(sha256sum "$component" | cut -d' ' -f1)"
    done
) > built/MANIFEST
cat built/MANIFEST
