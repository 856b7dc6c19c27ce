#!/usr/bin/env bash
# A certificate for this front's own address, new at every boot, in memory only. The load balancer looks at none and peers
# pin what reports say, so any would do for them; the bot beside the gateway is a client that wants to know it.
# shellcheck source=packer/files/common/usr/lib/ollama-fleet/machine.sh
. /usr/lib/ollama-fleet/machine.sh
need GATEWAY__FLEET__ADDRESS
folder=/run/ollama-fleet/tls
install -d -m 0755 "$folder"
# Not an authority: who trusts it trusts this one server. All of it is said here, or the system's openssl.cnf adds its own.
cat >"$folder/made.cnf" <<END
[req]
distinguished_name = name
x509_extensions = own
prompt = no
[name]
CN = front
[own]
subjectAltName = IP:${GATEWAY__FLEET__ADDRESS%:*}
basicConstraints = critical, CA:FALSE
END
told=$( (umask 077 && openssl req -x509 -config "$folder/made.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$folder/private_key.pem" -out "$folder/certificate.pem") 2>&1) || stop "no certificate can be made: $told"
chgrp ollama-gateway "$folder/private_key.pem"
chmod 0640 "$folder/private_key.pem"
chmod 0644 "$folder/certificate.pem"
cat >>/run/ollama-fleet/boot.env <<END
GATEWAY__TLS__CERTIFICATE=$folder/certificate.pem
GATEWAY__TLS__PRIVATE_KEY=$folder/private_key.pem
END
