# shellcheck shell=bash
# For scripts that print TAP, one line a promise: sourced after `folder`, where their logs are, is set. `status` is 1 once
# one is broken.
status=0

promise() { # a sentence, and the command that keeps it
    local sentence=$1
    shift
    # shellcheck disable=SC2154,SC2034  # `folder` is set, and `status` read, by who sources this
    if "$@"; then echo "ok - $sentence"; else status=1 && echo "not ok - $sentence: see ${folder#"$PWD/"}"; fi
}

within() { # so many seconds, a command succeeds
    local tries=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.2
    done
}
