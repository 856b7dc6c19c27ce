#!/bin/sh
# launch.sh FOLDER PROGRAM ARGUMENTS...  becomes the program, which dies with the test that holds FOLDER/lifeline open.
# With NODE set it is a machine: it boots until FOLDER/boot-$NODE says how: `dies`, or the URL of
# its Ollama and its own address.
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
    while [ ! -f "$folder/boot-$NODE" ]; do sleep 0.1; done
    read -r ollama address <"$folder/boot-$NODE"
    [ "$ollama" = dies ] && exit 1
    export GATEWAY__OLLAMA__URL="$ollama" GATEWAY__LISTEN__ADDRESS="$address" GATEWAY__FLEET__ADDRESS="$address"
fi
exec "$@"
