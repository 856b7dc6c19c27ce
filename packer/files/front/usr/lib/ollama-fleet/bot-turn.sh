#!/usr/bin/env bash
# Is there to be a bot, and on this front? Once a boot and every five minutes, so that the secret ollama-fleet/<fleet>/bot
# alone turns it on, off and around. Without it there is none; what cannot be known leaves everything as it is.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need FLEET GROUP ARCHIVE_BUCKET INSTANCE GATEWAY__FLEET__ADDRESS
settings=/etc/ollama-fleet/bot.toml
memory=/var/lib/ollama-fleet-bot/state.json

said=/run/ollama-fleet/bot-said

leave() { # said once: a fleet without a way to the internet would say it for ever
    [ "$1" = "$(cat "$said" 2>/dev/null)" ] || say "left as it is: $1"
    echo "$1" >"$said"
    exit 0
}
off() {
    [ -e "$settings" ] || exit 0
    rm -f "$settings"
    systemctl stop --no-block ollama-fleet-bot.service
    say "no bot here any more: $1"
    exit 0
}

# Telegram has one reader for a bot's messages: of two fronts, the one whose name comes first.
first=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP" --output text \
    --query "sort(AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId)[0]" 2>&1) || leave "the group does not answer: $first"
[ "$first" != None ] || leave "no front is in service yet"
[ "$first" = "$INSTANCE" ] || off "$first runs it"

# Of a name that is not there, AWS says that reading it is not allowed.
secret=$(AWS_MAX_ATTEMPTS=2 aws secretsmanager get-secret-value --secret-id "ollama-fleet/$FLEET/bot" --query SecretString --output text \
    --cli-connect-timeout 5 --cli-read-timeout 20 2>&1) || case $secret in
*ResourceNotFound* | *AccessDenied* | *InvalidRequest*) off "there is no secret ollama-fleet/$FLEET/bot" ;;
*) leave "the secret cannot be read: $secret" ;;
esac
(umask 077 && ADDRESS=$GATEWAY__FLEET__ADDRESS python3 -c '
import json, os, sys
secret = json.load(sys.stdin)
text = lambda name: json.dumps(secret[name].strip())
print(f"""# Made from the secret by bot-turn.sh; what is changed here does not stay.
token = {text("token")}
state = "/var/lib/ollama-fleet-bot/state.json"

[gateway]
url = "https://{os.environ["ADDRESS"]}"
ca_file = "/run/ollama-fleet/tls/certificate.pem"
key = {text("key")}""")' >"$settings.new" 2>/dev/null <<<"$secret") || {
    rm -f "$settings.new"
    leave 'the secret must be {"token": "of BotFather", "key": "ollm_… of the bot"}'
}
told=$(bot check-config --config "$settings.new" 2>&1) || {
    rm -f "$settings.new"
    leave "the bot does not take its settings: $told"
}
chgrp ollama-bot "$settings.new"
chmod 0640 "$settings.new"

# What it knew on whichever front it ran before. Never without it, or all would have to be linked again.
if ! systemctl is-active --quiet ollama-fleet-bot.service; then
    if told=$(aws s3api get-object --bucket "$ARCHIVE_BUCKET" --key bot/state.json "$memory.new" 2>&1); then
        chown ollama-bot:ollama-bot "$memory.new"
        chmod 0600 "$memory.new"
        mv "$memory.new" "$memory"
    elif [[ $told != *NoSuchKey* ]]; then
        rm -f "$settings.new"
        leave "what the bot knew cannot be fetched: $told"
    fi
fi
if cmp -s "$settings.new" "$settings"; then
    rm "$settings.new"
    systemctl start --no-block ollama-fleet-bot.service
else
    mv "$settings.new" "$settings"
    say "the bot has new settings"
    systemctl restart --no-block ollama-fleet-bot.service
fi
rm -f "$said"
exec /usr/lib/ollama-fleet/bot-keep.sh
