#!/usr/bin/env bash
# `start` or `stop` what stands in for AWS in the tests: MiniStack, moto for what MiniStack lacks of Auto Scaling and load
# balancing, and Amazon's own DynamoDB Local where Java and Maven are present. All listen on free loopback ports;
# .tools/emulators.env says where. `install` only installs MiniStack and moto.
set -euo pipefail
cd "$(dirname "$0")/.."
state=.tools/emulators
environment=.tools/emulators.env

# A port that is free now. Another program may take it before we do; the wait below then fails, loudly.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

install_python() {
    cmp -s scripts/requirements-emulators.txt $state/python/installed && return
    mkdir -p $state
    python3 -m venv $state/python
    $state/python/bin/pip install --quiet --require-hashes --requirement scripts/requirements-emulators.txt
    cp scripts/requirements-emulators.txt $state/python/installed
}

install_dynamodb_local() {
    cmp -s scripts/dynamodb-local.xml $state/java/installed && return
    rm -rf $state/java
    mvn --quiet --batch-mode --file scripts/dynamodb-local.xml dependency:copy-dependencies \
        -DoutputDirectory="$PWD/$state/java"
    cp scripts/dynamodb-local.xml $state/java/installed
}

# Runs a program in a process group of its own and notes its id.
launch() {
    setsid "${@:2}" >"$state/$1.log" 2>&1 </dev/null &
    echo $! >>"$state/pids"
}

# Waits until something listens on the port, for at most 30 s.
await() {
    local name=$1 port=$2
    for _ in $(seq 300); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "$name does not listen on port $port:" >&2
    tail -20 "$state/$name.log" >&2
    stop
    exit 1
}

start() {
    stop
    mkdir -p $state
    install_python
    local ministack moto local_port java=absent
    ministack=$(free_port)
    launch ministack env BIND_HOST=127.0.0.1 GATEWAY_PORT="$ministack" MINISTACK_ACCOUNT_ID=123456789012 \
        "$state/python/bin/ministack"
    moto=$(free_port)
    launch moto "$state/python/bin/moto_server" -H 127.0.0.1 -p "$moto"
    if command -v java >/dev/null && command -v mvn >/dev/null; then
        install_dynamodb_local
        local_port=$(free_port)
        launch dynamodb-local java -Djava.library.path=$state/java -cp "$state/java/*" \
            com.amazonaws.services.dynamodbv2.local.main.ServerRunner -inMemory -sharedDb -port "$local_port"
        await dynamodb-local "$local_port"
        java=http://127.0.0.1:$local_port
    fi
    await ministack "$ministack"
    await moto "$moto"
    printf 'export FLEET_TEST_%s\n' "MINISTACK=http://127.0.0.1:$ministack" "MOTO=http://127.0.0.1:$moto" \
        "DYNAMODB_LOCAL=$java" >$environment
}

# Ends only what was started here: the process groups noted, while they still are what they were.
stop() {
    rm -f $environment
    [ -f $state/pids ] || return 0
    while read -r pid; do
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$state"; then kill -- "-$pid" 2>/dev/null || true; fi
    done <$state/pids
    rm -f $state/pids
}

case ${1:-} in
start | stop) "$1" ;;
install) install_python ;;
*) echo "usage: scripts/emulators.sh start | stop | install" >&2; exit 64 ;;
esac
