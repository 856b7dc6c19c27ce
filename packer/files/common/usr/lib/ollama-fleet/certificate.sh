#!/usr/bin/env bash
# For a node that clients reach themselves: fetches certificate and key from the secret, once a boot and once a day. The
# gateway sees that its file has changed. The secret is a JSON object with `certificate` and `private_key`, PEM both.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
[ -n "${CERTIFICATE_SECRET:-}" ] || exit 0
folder=/etc/ollama-fleet/tls
install -d -m 0750 -o root -g ollama-gateway "$folder"
secret=$(aws secretsmanager get-secret-value --secret-id "$CERTIFICATE_SECRET" --query SecretString --output text 2>&1) ||
    stop "the secret cannot be read: $secret"
for part in certificate private_key; do
    (umask 077 && PART=$part python3 -c 'import json, os, sys; print(json.load(sys.stdin)[os.environ["PART"]].strip())' \
        <<<"$secret" >"$folder/$part.new" 2>/dev/null) || stop "the secret has no $part; it must be {\"certificate\": …, \"private_key\": …}"
    chgrp ollama-gateway "$folder/$part.new"
    chmod 0640 "$folder/$part.new"
done
for part in private_key certificate; do # the certificate last: the gateway looks at it
    if cmp -s "$folder/$part.new" "$folder/$part.pem"; then rm "$folder/$part.new"; else mv "$folder/$part.new" "$folder/$part.pem" && say "a new $part"; fi
done
