#!/usr/bin/env bash
# For a node that clients reach themselves: takes the fleet's address, so that its name stays true.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
[ -n "${ADDRESS_ALLOCATION:-}" ] || exit 0
[ ! -e /run/ollama-fleet/pool ] || exit 0
told=$(aws ec2 associate-address --allocation-id "$ADDRESS_ALLOCATION" --instance-id "$INSTANCE" --allow-reassociation 2>&1) ||
    stop "the address was not given to us: $told"
say "reached as $ADDRESS_ALLOCATION"
