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
