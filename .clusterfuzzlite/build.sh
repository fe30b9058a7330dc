#!/usr/bin/env bash
# Builds the libFuzzer targets. To $OUT goes each, and beside it its seeds, and its dictionary and options where it
# has some. The image sets the variables.
set -euo pipefail
cd "$SRC/wavetank/fuzz"

cargo fuzz build --sanitizer "$SANITIZER" --target-dir "$WORK/target"

targets=$(cargo fuzz list)
for target in $targets; do
    cp "$WORK/target/$ARCHITECTURE-unknown-linux-gnu/release/$target" "$OUT"
    zip -qj "$OUT/${target}_seed_corpus.zip" "seeds/$target"/*
    for beside in "dictionaries/$target.dict" "options/$target.options"; do
        if [ -e "$beside" ]; then cp "$beside" "$OUT"; fi
    done
done
