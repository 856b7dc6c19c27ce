#!/bin/sh
# launch.sh FOLDER PROGRAM ARGUMENTS...  becomes the program, which dies with the test that holds FOLDER/lifeline open.
# With NODE set it is a machine: it boots until FOLDER/ollama-$NODE says how, `dies` or the URL of its Ollama.
folder=$1
shift
born() { cut -d' ' -f22 "/proc/$$/stat"; } # a process by its start: numbers are used again
birth=$(born)
(
    cat "$folder/lifeline"
    [ "$(born)" = "$birth" ] && kill -9 $$
) >/dev/null 2>&1 </dev/null &
if [ -n "$NODE" ]; then
    : >"$folder/born-$NODE"
    while [ ! -f "$folder/ollama-$NODE" ]; do sleep 0.1; done
    read -r GATEWAY__OLLAMA__URL <"$folder/ollama-$NODE"
    [ "$GATEWAY__OLLAMA__URL" = dies ] && exit 1
    export GATEWAY__OLLAMA__URL
fi
exec "$@"
