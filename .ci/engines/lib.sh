# What the tests of engines share. It is read after .ci/lib.sh; $WAVETANK is the command.
# shellcheck shell=bash

# until_true SECONDS WHAT COMMAND…: runs a command again and again until it succeeds, and fails after so many seconds.
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "after a long wait, it does not hold that $what"
        sleep 0.05
    done
}

# has_lines FILE COUNT: whether a sweep has written the results of so many seeds.
has_lines() {
    [ "$(grep -c '^{"seed"' "$1" 2> /dev/null)" -ge "$2" ] 2> /dev/null
}

# pid_of FILE: the process that writes its lines to this file. Its workers are other processes.
pid_of() {
    local process
    for process in /proc/[0-9]*; do
        if tr '\0' '\n' 2> /dev/null < "$process/cmdline" | grep -qxF -- "$1"; then
            echo "${process#/proc/}"
            return
        fi
    done
    return 1
}

# one_machine SCENARIO SEEDS FOLDER: the same sweep on one machine, for comparison.
one_machine() {
    local code=0
    "$WAVETANK" run "$1" --seeds "$2" --no-keep --json "$3/one.json" > "$3/one.txt" || code=$?
    echo "$code" > "$3/one.code"
}

# same_report LINES TEXT CODE FOLDER: fails unless a merge gave what one machine gave, apart from times.
same_report() {
    local cut='s/ of virtual time.*/ of virtual time/'
    diff <(sed 's/,"timing":.*//' "$4/one.json") <(sed 's/,"timing":.*//' "$1") > "$4/diff" ||
        fail "the merged lines differ: $(head -c 600 "$4/diff")"
    diff <(sed "$cut" "$4/one.txt") <(sed "$cut" "$2") || fail "the merged report differs"
    [ "$(cat "$4/one.code")" -eq "$3" ] || fail "the merge exits with $3, one machine with $(cat "$4/one.code")"
    echo "the same as on one machine: $(wc -l < "$1") lines, exit code $3"
}
