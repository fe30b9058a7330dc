#!/usr/bin/env bash
# Generates the stored requests and their manifests. Needs the `capnp` compiler; a build of Wavetank does not.
set -euo pipefail
cd "$(dirname "$0")"
for schema in peer vats sink; do
    capnp compile --import-path=include -o- "$schema.capnp" > "$schema.cgr"
    sha256sum "$schema.capnp" "$schema.cgr" > "$schema.manifest"
done
# The example guest keeps its schema in its own folder, as a guest of any other project would.
cd ../guests/till
capnp compile -o- till.capnp > till.cgr
sha256sum till.capnp till.cgr > till.manifest
# The tables of the protocol itself, from the schema that capnp-rpc brings. Comments go, only names and places stay.
cd ../..
manifest=$(cargo metadata --format-version 1 --locked | python3 -c '
import json, sys
print(next(package["manifest_path"] for package in json.load(sys.stdin)["packages"] if package["name"] == "capnp-rpc"))')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed 's/#.*//' "$(dirname "$manifest")/schema/rpc.capnp" > "$folder/rpc.capnp"
capnp compile --src-prefix="$folder" -o- "$folder/rpc.capnp" > sim/trace/schema/rpc.cgr
