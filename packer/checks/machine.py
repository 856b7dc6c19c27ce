"""A pretended machine for the checks of the boot: the files of an image in a folder, programs that note how they were
called and answer as told, and just so much of systemd as the order of the units needs. The scripts are the real ones."""

import pathlib
import re
import shutil
import subprocess

from tap import FILES

PLACES = r"(?<![\w}/.])(/etc/ollama-fleet|/run/ollama-fleet|/var/lib/ollama(?!-)|/var/lib/ollama-fleet-bot|/var/log/ollama-fleet|/usr/share/ollama-fleet|" \
         r"/usr/lib/ollama-fleet|/opt/aws|/dev/console)"

CURL = r"""
url=; form=
for word in "$@"; do case $word in http*) url=$word ;; '\n%{http_code}') form=yes ;; esac; done
case $url in
*/api/token) [ ! -e "$M/imds.down" ] && echo token ;;
*/meta-data/*)
    file=$M/imds/$(tr / _ <<<"${url#*/meta-data/}")
    if [ -e "$file" ]; then printf '%s\n200' "$(cat "$file")"; else printf '\n404'; fi ;;
*/api/generate) cat "$M/generate" ;;
*/api/embed) echo '{"embeddings":[[1]]}' ;;
*/api/ps) cat "$M/ps" ;;
esac
"""
AWS = r"""
call="$*"
if [ -e "$M/refuse" ]; then while read -r word; do [[ $call == *"$word"* ]] && { echo "An error occurred: $word" >&2; exit 254; }; done <"$M/refuse"; fi
words=(); for word in "$@"; do [[ $word == --* ]] || words+=("$word"); done
case $call in
's3 cp'*) from=${words[2]}; to=${words[3]}
    from=${from/#s3:\/\/models/$M/bucket}; to=${to/#s3:\/\/models/$M/bucket}; to=${to/#s3:\/\/archive/$M/archive}
    mkdir -p "$(dirname "$to")"; cp "$from" "$to" ;;
's3api head-object'*) [ -e "$M/bucket/${words[-1]}" ] ;;
's3api get-object'*'bot/state.json'*)
    [ -e "$M/archive/bot/state.json" ] || { echo 'An error occurred (NoSuchKey) when calling the GetObject operation' >&2; exit 254; }
    cp "$M/archive/bot/state.json" "${words[-1]}" ;;
'secretsmanager'*) [ -e "$M/secret" ] || { echo 'An error occurred (AccessDeniedException)' >&2; exit 254; }; cat "$M/secret" ;;
*describe-auto-scaling-groups*) cat "$M/first" ;;
*complete-lifecycle-action*) if [ -e "$M/no-hook" ]; then echo 'No active Lifecycle Action found' >&2; exit 255; fi ;;
esac
"""
OLLAMA = r"""
if [ "$1" = pull ]; then
    [ -e "$M/registry/$2" ] || exit 1
    cp -r "$M/registry/$2/." "$OLLAMA_MODELS_OF_TEST"
fi
"""
INSTALL = r"""
words=(); skip=
for word in "$@"; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case $word in -o | -g) skip=yes ;; *) words+=("$word") ;; esac
done
exec /usr/bin/install "${words[@]}"
"""
GATEWAY = r"""
[ ! -e "$M/bad-config" ] || { echo "listen.address: got x"; exit 64; }
if grep -q '^certificate' "$M/etc/ollama-fleet/gateway.toml" && [ ! -e "$M/etc/ollama-fleet/tls/certificate.pem" ]; then
    echo "tls.certificate: there is no such file"; exit 64
fi
"""
SYSTEMCTL = r"""
case $* in
'is-active --quiet ollama-fleet-bot.service') [ -e "$M/bot-runs" ] ;;
*start*ollama-fleet-bot.service) touch "$M/bot-runs" ;;
*stop*ollama-fleet-bot.service) rm -f "$M/bot-runs" ;;
esac
"""
PROGRAMS = {
    "curl": CURL, "aws": AWS, "ollama": OLLAMA, "install": INSTALL,
    "lsblk": 'cat "$M/lsblk"', "blkid": 'cat "$M/label" 2>/dev/null', "mkfs.xfs": 'echo models >"$M/label"',
    "gateway": GATEWAY, "nvidia-smi": '[ ! -e "$M/no-gpu" ] || exit 9; [[ $* != *memory.total* ]] || printf "15360\n15360\n"',
    "setpriv": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"', "find": 'if [ "$1" = manifests ]; then exec /usr/bin/find "$@"; fi; exec /usr/bin/find "$M/root-volume" -type f -print0',
    # Time passes as fast as it is asked for.
    "sleep": 'n=$(($(cat "$M/slept" 2>/dev/null || echo 0) + 1)); echo $n >"$M/slept"; [ $n -lt 2000 ]',
    "systemctl": SYSTEMCTL, "bot": '[ ! -e "$M/bad-bot" ]', "chown": "", "chgrp": "", "udevadm": "", "journalctl": "echo its last lines",
}


class Machine:
    def __init__(self, folder, role, told):
        self.root = pathlib.Path(folder)
        self.calls_file = self.root / "calls"
        for part in ("common", role):
            shutil.copytree(FILES / part, self.root, dirs_exist_ok=True)
        for script in self.root.glob("usr/lib/ollama-fleet/*.sh"):
            script.write_text(re.sub(PLACES, lambda place: str(self.root) + place[0], script.read_text()))
        for folder in ("bin", "imds", "bucket", "registry", "root-volume", "dev", "etc/ollama-fleet", "run/ollama-fleet", "var/lib/ollama",
                       "var/lib/ollama-fleet-bot", "archive", "var/log/ollama-fleet", "opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name, body in PROGRAMS.items():
            self.program(name, body)
        self.write("root-volume/a-file", "content")
        self.write("first", "i-1\n")
        self.write("lsblk", "/dev/nvme0n1 Amazon Elastic Block Store\n/dev/nvme1n1 Amazon EC2 NVMe Instance Storage\n")
        self.write("generate", '{"done":true}')
        self.write("ps", '{"models":[{"name":"tiny","size_vram":7}]}')
        self.write("usr/share/ollama-fleet/gpu", "")
        self.imds("instance-id", "i-1")
        self.imds("local-ipv4", "10.0.0.7")
        self.imds("placement/region", "eu-west-1")
        self.imds("autoscaling/target-lifecycle-state", "InService")
        for name, text in told.items():
            self.write(f"etc/ollama-fleet/{name}", text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def imds(self, key, text):
        self.write("imds/" + key.replace("/", "_"), text)

    def program(self, name, body):
        self.write(f"bin/{name}", f'#!/bin/bash\nM={self.root}\necho "{name} $*" >>"$M/calls"\n{body}\n')
        (self.root / "bin" / name).chmod(0o755)

    def calls(self, containing=""):
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        return [line for line in text.splitlines() if containing in line]

    def log(self):
        path = self.root / "var/log/ollama-fleet/boot.log"
        return path.read_text() if path.exists() else ""

    def environment(self):
        known = {"PATH": f"{self.root}/bin:/usr/bin:/bin", "OLLAMA_MODELS_OF_TEST": f"{self.root}/var/lib/ollama/models"}
        path = self.root / "etc/ollama-fleet/node.env"
        if path.exists():  # what settle.sh writes is read by each script itself
            known |= dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        return known

    def run(self, script, *words):
        """Runs one of the scripts as its unit would; True if it succeeded."""
        with (self.root / "var/log/ollama-fleet/boot.log").open("a") as log:
            return subprocess.run([self.root / "usr/lib/ollama-fleet" / script, *words], env=self.environment(), stdout=log, stderr=log,
                                  timeout=60).returncode == 0

    # Units.

    def units(self):
        known = {}
        for path in self.root.glob("etc/systemd/system/ollama*.service"):
            text = path.read_text() + "".join(part.read_text() for part in path.parent.glob(f"{path.name}.d/*.conf"))
            read = {}
            for line in text.splitlines():
                if re.match(r"\w+=", line):
                    key, _, value = line.partition("=")
                    read.setdefault(key, []).append(value)
            if "WantedBy" in read:
                known[path.name] = read
        return known

    def boot(self):
        """Starts what starts at boot, in its order; returns what started, by unit: done, failed or skipped."""
        units, ended = self.units(), {}
        names = lambda unit, key: [name for value in unit.get(key, []) for name in value.split() if name in units]
        while len(ended) < len(units):
            ready = [name for name, unit in units.items() if name not in ended and all(other in ended for other in names(unit, "After"))]
            assert ready, f"the units' order is a circle: {set(units) - set(ended)}"
            for name in sorted(ready):
                ended[name] = self.start(name, units[name], [ended[other] for other in names(units[name], "Requires")])
                if ended[name] == "failed" and "OnFailure" in units[name]:
                    self.run("fail.sh", name)
        return {name.removeprefix("ollama-fleet-").removesuffix(".service"): state for name, state in ended.items()}

    def start(self, name, unit, required):
        if "failed" in required:
            return "failed"
        if not all((self.root / path[1:]).exists() for path in unit.get("ConditionPathExists", [])):
            return "skipped"
        scripts = [line.split()[0] for line in unit["ExecStart"] if "/usr/lib/ollama-fleet/" in line]
        if not scripts:
            return "done"
        return "done" if all(self.run(pathlib.Path(script).name) for script in scripts) else "failed"
