# pages FOLDER: writes the pages that the tests and the screenshots are of, with the `wavetank` of lib.sh.
# shellcheck shell=bash
pages() {
    local folder=$1
    page_of() { # NAME SCENARIO SEED
        local token
        wavetank run "$2" --seed "$3" --no-keep > "$folder/$1.txt" || true
        token=$(grep -o 'wt1\.[A-Za-z0-9._-]*' "$folder/$1.txt" | head -n 1)
        [ -n "$token" ] || fail "$2 gave no token under seed $3"
        wavetank report "$token" -o "$folder/$1.html" --mermaid "$folder/$1.mmd" --perfetto "$folder/$1.pftrace"
    }
    mkdir -p "$folder"
    page_of stall bug-g04 1
    page_of deadlock bug-v02 1
    page_of reorder bug-reorder_3 5
    page_of calls pid0 1
    page_of output bug-g20 1
    wavetank run bug-g04 --seeds 0..40 --no-keep --report "$folder/sweep" > /dev/null || true
    cargo run --quiet --locked -p wavetank-page --example pages -- "$folder"
}
