#!/usr/bin/env bash
# Checks what we depend on against deny.toml: banned crates, licences, sources. Then proves the bans: for each of
# them, a project that has a crate of that name must be refused. The first run compiles cargo-deny into .tools/
# (about two minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=0.20.2

export PATH=$root/.tools/bin:$PATH
if [ "$(.tools/bin/cargo-deny --version 2>/dev/null)" != "cargo-deny $version" ]; then
    echo "compiling cargo-deny $version into .tools/"
    cargo install --locked --quiet --root .tools "cargo-deny@$version"
fi

# cargo-deny reads the manifests of every platform, and a build has fetched only those of this one.
cargo fetch --locked --quiet
cargo deny --offline --locked check bans licenses sources

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A package named `$1` of version `$2` in the folder `$3`.
package() {
    mkdir -p "$3/src"
    touch "$3/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "%s"\nedition = "2021"\nlicense = "MIT"\n' "$1" "$2" >"$3/Cargo.toml"
}

# A project that depends on an empty crate named `$1` of version `$2`.
project() {
    rm -rf "$scratch/p"
    package project 0.0.1 "$scratch/p"
    package "$1" "$2" "$scratch/p/dependency"
    printf '[dependencies]\n%s = { path = "dependency", version = "%s" }\n' "$1" "$2" >>"$scratch/p/Cargo.toml"
}

# Does deny.toml take the present project?
taken() {
    cargo deny --offline --manifest-path "$scratch/p/Cargo.toml" --config deny.toml check bans >"$scratch/log" 2>&1
}

project harmless 1.0.0
taken || { cat "$scratch/log"; echo "deny.sh: a harmless project is refused"; exit 1; }
for banned in "openssl 0.10.70" "openssl-sys 0.9.100" "native-tls 0.2.12" "ring 0.17.8" "h2 0.4.15"; do
    # shellcheck disable=SC2086 # a name and a version
    project $banned
    if taken || ! grep -q 'is explicitly banned' "$scratch/log"; then
        cat "$scratch/log"
        echo "deny.sh: $banned is not refused"
        exit 1
    fi
done
