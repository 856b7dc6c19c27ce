#!/usr/bin/env bash
# Publishes how old the image is, in days; an alarm asks for a new one after 45.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need FLEET
days=$((($(date +%s) - $(cat /usr/share/ollama-fleet/built)) / 86400))
aws cloudwatch put-metric-data --namespace OllamaFleet --metric-name ImageAgeDays --dimensions "Fleet=$FLEET" --value "$days" ||
    stop "the image's age was not published"
