#!/usr/bin/env bash
# Makes peer.cgr and its manifest anew from peer.capnp. Needs the `capnp` compiler; building Wavetank does not.
set -euo pipefail
cd "$(dirname "$0")"
capnp compile -o- peer.capnp > peer.cgr
sha256sum peer.capnp peer.cgr > peer.manifest
