#!/usr/bin/env bash
# First step of every boot: what the machine was told is there and fits its image; what this start is for, a place in
# the warm pool or work; where the agent ships logs to. Writes /run/ollama-fleet.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need ROLE FLEET AWS_REGION GROUP LOG_GROUP
image=$(cat /usr/share/ollama-fleet/role)
[ "$ROLE" = "$image" ] || stop "this is an image for a $image, and it was started as a $ROLE; correct ImageId"
[ -f /etc/ollama-fleet/gateway.toml ] || stop "/etc/ollama-fleet/gateway.toml is missing; user data did not write it"

instance=$(imds instance-id) || stop "the metadata service does not answer"
address=$(imds local-ipv4) || stop "the metadata service does not say our address"
port=$(sed -n 's/^address *= *"[^"]*:\([0-9]*\)"$/\1/p' /etc/ollama-fleet/gateway.toml | head -n 1)
mkdir -p /run/ollama-fleet
cat >/run/ollama-fleet/boot.env <<END
INSTANCE=$instance
GATEWAY__FLEET__ADDRESS=$address:${port:-8443}
END

sed -e "s|@LOG_GROUP@|$LOG_GROUP|" -e "s|@SCALER_LOG_GROUP@|${SCALER_LOG_GROUP:-$LOG_GROUP}|" -e "s|@GROUP@|$GROUP|" \
    /usr/share/ollama-fleet/agent.json >/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/ollama-fleet.json

# What the group wants of this start. There is no answer before it has taken the machine in; a machine that no group
# takes within a minute stands alone, and works.
goal() {
    local got status
    for _ in $(seq 30); do
        status=0
        got=$(imds autoscaling/target-lifecycle-state) || status=$?
        [ $status -ne 0 ] || { echo "$got" && return; }
        [ $status -eq 4 ] || return 1
        sleep 2
    done
    echo InService
}
goal=$(goal) || stop "the metadata service does not say what this start is for"
rm -f /run/ollama-fleet/work /run/ollama-fleet/pool
case $goal in
InService) touch /run/ollama-fleet/work ;;
Warmed:Stopped | Warmed:Running | Warmed:Hibernated) touch /run/ollama-fleet/pool ;;
*) stop "the group is about to end this machine ($goal)" ;;
esac
say "$instance at $address is a $ROLE of $FLEET, on its way to $goal"
