"""The units: systemd takes them as they are, and each is at most as exposed as is written here (in tenths, as
`systemd-analyze security` counts; 100 is a service without any wall). A unit that loses a wall is found out."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from tap import FILES, say

PROGRAMS = ("gateway", "scaler", "bot", "ollama", "env", "journalctl", "nvidia-modprobe")
# What each reached; the disk's formats and mounts, so it sees the machine as it is.
BOUNDS = {
    "ollama": 20,
    "ollama-fleet-age": 22,
    "ollama-fleet-bot": 14,
    "ollama-fleet-bot-keep": 24,
    "ollama-fleet-bot-turn": 26,
    "ollama-fleet-certificate": 26,
    "ollama-fleet-disk": 43,
    "ollama-fleet-fail@": 26,
    "ollama-fleet-fill": 24,
    "ollama-fleet-gateway": 16,
    "ollama-fleet-journal": 6,
    "ollama-fleet-models": 29,
    "ollama-fleet-pool": 25,
    "ollama-fleet-scaler": 14,
    "ollama-fleet-settle": 26,
    "ollama-fleet-warm": 24,
}


def machine(role, root):
    """A file system with the units of a role, systemd's own, and programs that do nothing."""
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    for part in ("common", role):
        shutil.copytree(FILES / part, root, dirs_exist_ok=True)
    (root / "usr/bin").mkdir(exist_ok=True)
    for name in PROGRAMS:
        (root / "usr/bin" / name).write_text("#!/bin/sh\n")
        (root / "usr/bin" / name).chmod(0o755)
    return sorted((root / "etc/systemd/system").glob("ollama*.*")) + sorted((root / "etc/systemd/system").glob("*.mount"))


def analyze(root, *words):
    done = subprocess.run(["systemd-analyze", *words[:1], f"--root={root}", *words[1:]], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def verify(root, units):
    units = [unit for unit in units if unit.suffix in (".service", ".timer", ".path", ".mount")]
    status, told = analyze(root, "verify", *map(str, units))
    if status or told.strip():
        yield from told.strip().splitlines() or [f"status {status}"]


def exposed(root, unit):
    bound = BOUNDS.get(unit.stem)
    if bound is None:
        yield f"{unit.name} has no bound here"
        return
    status, told = analyze(root, "security", "--offline=true", f"--threshold={bound}", unit.name)
    if status:
        yield f"more than {bound / 10}: {told.strip().splitlines()[-1]}"


def main():
    good = True
    for role in ("node", "front"):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            units = machine(role, root)
            good &= say(f"systemd takes the units of a {role}", verify(root, units))
            own = {path.name for path in (FILES / role).rglob("*.service")} if role == "front" else None   # the rest a node has too
            for unit in [unit for unit in units if unit.suffix == ".service" and (own is None or unit.name in own)]:
                good &= say(f"{unit.stem} is at most {BOUNDS.get(unit.stem, 0) / 10} exposed", exposed(root, unit))
                text = unit.read_text()
                # A user made for the unit alone cannot gain anything, with or without that line.
                wall = "PrivateNetwork" if "DynamicUser=yes" in text else "NoNewPrivileges"
                unit.write_text(text.replace(f"{wall}=yes\n", ""))
                good &= say(f"{unit.stem} without {wall} is found out", [] if list(exposed(root, unit)) else ["it is not"])
                unit.write_text(text)
            broken = root / "etc/systemd/system/ollama-fleet-settle.service"
            broken.write_text(broken.read_text().replace("settle.sh", "stetle.sh"))
            good &= say("a unit that starts what is not there is found out", [] if list(verify(root, units)) else ["it is not"])
    sys.exit(not good)


main()
