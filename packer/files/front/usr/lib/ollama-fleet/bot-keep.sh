#!/usr/bin/env bash
# Copies what the bot knows, whom it is linked to and what they last talked about, into the archive: the next front has it
# from there. Runs when the file has changed, and with every turn.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need ARCHIVE_BUCKET
memory=/var/lib/ollama-fleet-bot/state.json
kept=/run/ollama-fleet/bot-kept # what was copied last
while [ -e "$memory" ]; do      # again, if it changed meanwhile
    sum=$(sha256sum <"$memory")
    [ "$sum" != "$(cat "$kept" 2>/dev/null)" ] || break
    told=$(aws s3 cp --only-show-errors "$memory" "s3://$ARCHIVE_BUCKET/bot/state.json" 2>&1) || stop "what the bot knows was not copied: $told"
    echo "$sum" >"$kept"
done
