#!/usr/bin/env bash
# What `demo up` prints works as printed: the curl line, by both versions of HTTP, and the Python example.
# Usage: printed.sh OUTPUT_OF_THE_DEMO PYTHON
# shellcheck disable=SC2329  # `promise` calls functions by name
set -uo pipefail
printed=$1
python=$2
failed=0

promise() {
    local sentence=$1 why
    shift
    if why=$("$@" 2>&1); then
        echo "ok - $sentence"
    else
        failed=1
        echo "not ok - $sentence: $(tail -n 3 <<<"$why" | tr '\n' ' ')"
    fi
}

curl_line() { sed -n '/^  curl /,/[^\\]$/p' "$printed"; }

# Runs the printed line, with further options where asked; a whole answer must come, and not all at once.
streams() {
    local line count=0 first=0 last=0 end=
    while IFS= read -r line; do
        last=$(date +%s)
        [ "$count" -gt 0 ] || first=$last
        count=$((count + 1))
        end=$line
    done < <(bash -c "$(curl_line) $*")
    case $end in *'"done":true'*) ;; *) echo "the end is '$end'" && return 1 ;; esac
    [ "$count" -gt 20 ] && [ $((last - first)) -ge 1 ] || { echo "$count lines in $((last - first)) s" && return 1; }
}

speaks() {
    local version
    version=$(bash -c "$(curl_line) --silent --max-time 1 --http$1 --output /dev/null --write-out '%{http_version}'")
    [ "$version" = "$1" ] || { echo "it was HTTP/$version" && return 1; }
    streams "--silent --http$1"
}

example() {
    local answer
    answer=$(sed -n '/^  import json, ollama/,/^$/s/^  //p' "$printed" | "$python" -) || { echo "$answer" && return 1; }
    [ "$(wc -w <<<"$answer")" -gt 20 ] || { echo "it printed '$answer'" && return 1; }
}

promise "the printed curl line streams an answer" streams
promise "the printed curl line streams over HTTP/1.1" speaks 1.1
if curl --version | grep -q HTTP2; then
    promise "the printed curl line streams over HTTP/2" speaks 2
else
    echo "skipped: curl is built without HTTP/2"
fi
promise "the printed Python example prints an answer" example
exit $failed
