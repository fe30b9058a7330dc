#!/usr/bin/env bash
# pack.sh VERSION TARGET BINARIES FOLDER: packs the commands in the folder BINARIES for a release, as
# FOLDER/wavetank-VERSION-TARGET.tar.gz.
#
# `wavetank` writes its own completions and manual pages. `cargo binstall` looks for the archive and for the binaries in
# it by the names in sim/cli/Cargo.toml; a test compares them.
set -euo pipefail
version=$1 target=$2 binaries=$3 folder=$4
name=wavetank-$version-$target
root=$(dirname "$0")/..

packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
mkdir -p "$packed/$name/completions"
cp "$root/LICENSE" "$packed/$name/LICENSE"
cp "$root/sim/cli/README.md" "$packed/$name/README.md"
install -m 755 "$binaries/wavetank" "$binaries/cargo-wavetank" "$packed/$name"
wavetank=$packed/$name/wavetank
"$wavetank" completions bash > "$packed/$name/completions/wavetank.bash"
"$wavetank" completions elvish > "$packed/$name/completions/wavetank.elv"
"$wavetank" completions fish > "$packed/$name/completions/wavetank.fish"
"$wavetank" completions powershell > "$packed/$name/completions/_wavetank.ps1"
"$wavetank" completions zsh > "$packed/$name/completions/_wavetank"
"$wavetank" man --out "$packed/$name/man"

mkdir -p "$folder"
tar --create --gzip --owner=0 --group=0 --numeric-owner --sort=name \
    --file "$folder/$name.tar.gz" --directory "$packed" "$name"
