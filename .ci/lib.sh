# What steps share. A step begins with `. .ci/lib.sh`; the driver starts it in the root of the repository.
# shellcheck shell=bash
set -euo pipefail

# A folder of the step's own, which goes with it.
own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT

fail() {
    printf 'failed: %s\n' "$*" >&2
    exit 1
}

# tests ARGS… [-- FILTER…]: `cargo test ARGS…`. Fails also if no test ran, or if a filter matches none. Options after
# the dashes are written as one word, as --test-threads=1.
tests() {
    local log=$own/tests names=$own/names arg filters=()
    cargo test "$@" 2>&1 | tee "$log"
    # Each line is `test NAME ... ok`.
    sed -n 's/^test \(.*\) \.\.\. ok$/\1/p' "$log" > "$names"
    local is_filter=false
    for arg in "$@"; do
        if $is_filter && [[ $arg != -* ]]; then filters+=("$arg"); fi
        if [ "$arg" = -- ]; then is_filter=true; fi
    done
    for arg in "" "${filters[@]}"; do
        grep -qF -- "$arg" "$names" ||
            fail "no test ran${arg:+ that the filter $arg matches}: cargo test $*"
    done
}

# wavetank ARGS…: the command, as released.
wavetank() {
    cargo run --quiet --release --locked -p wavetank-lab --bin wavetank-lab -- "$@"
}

# The scenarios that a correct tank always finishes: tests/it/calls.rs holds a snapshot of each, and of no other.
clean_scenarios() {
    basename -s .snap snapshots/calls/*.snap
}

# fuzz_targets SECONDS RUNS ARGS…: each libFuzzer target from the committed seeds on, for so many seconds or inputs,
# whichever ends first (-1 inputs for no end). ARGS go to cargo-fuzz. What is found is in fuzz/artifacts.
fuzz_targets() {
    local seconds=$1 runs=$2 targets target options
    shift 2
    # cargo-fuzz would update a lock file that lags behind, and not say so.
    cargo fetch --locked --manifest-path fuzz/Cargo.toml
    targets=$(cargo +nightly fuzz list)
    [ -n "$targets" ] || fail "there is no fuzz target"
    for target in $targets; do
        echo "-- $target"
        mkdir -p "fuzz/corpus/$target"
        options=(-runs="$runs" -max_total_time="$seconds" -timeout=30)
        if [ -e "fuzz/dictionaries/$target.dict" ]; then options+=(-dict="fuzz/dictionaries/$target.dict"); fi
        cargo +nightly fuzz run "$@" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${options[@]}" 2>&1 |
            tee "$own/$target"
        grep -qE '^Done [1-9][0-9]* runs' "$own/$target" || fail "$target ran no input"
    done
    echo "result: $(for target in $targets; do
        sed -n "s/^Done \([0-9]*\) runs.*/$target \1/p" "$own/$target"
    done | paste -sd ';' | sed 's/;/, /g') inputs, nothing found"
}
