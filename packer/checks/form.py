"""What is read by programs that are not here has the right form: HCL, facts, the agent's configuration, versions."""

import json
import re
import sys

import hcl2
import yaml

from tap import FILES, HERE, say

FACTS = {"addr", "command", "dns", "file", "gossfile", "group", "http", "interface", "kernel-param", "matching", "mount", "package",
         "port", "process", "service", "user"}


def plain(value):
    """A value of python-hcl2 without its quotes."""
    return value.strip('"') if isinstance(value, str) else value


def versions():
    read = hcl2.loads((HERE / "versions.pkrvars.hcl").read_text())
    known = {plain(name): plain(value) for name, value in read.items()}
    images = hcl2.loads((HERE / "images.pkr.hcl").read_text())
    declared = {plain(name) for block in images["variable"] for name in block}
    yield from (f"{name} is no variable of images.pkr.hcl" for name in known if not name.startswith("__") and name not in declared)
    yield from (f"{name} is not 64 hexadecimal digits" for name, value in known.items()
                if "sha256" in name and not re.fullmatch("[0-9a-f]{64}", value))
    yield from (f"{name} is missing" for name in ("base", "kernel", "nvidia_driver", "ollama", "ollama_sha256", "goss") if name not in known)


def provisioned():
    """Scripts that the build names exist, and those that exist are named."""
    named = set(re.findall(r"provision/([\w-]+\.sh)", (HERE / "images.pkr.hcl").read_text()))
    there = {path.name for path in (HERE / "provision").iterdir()}
    yield from (f"provision/{name} is named and not there" for name in named - there)
    yield from (f"provision/{name} is there and never run" for name in there - named)


def short():
    """A script does one thing: at most 80 lines."""
    for path in [*(HERE / "provision").glob("*.sh"), *FILES.glob("*/usr/lib/ollama-fleet/*.sh")]:
        lines = path.read_text().count("\n")
        if lines > (100 if path.name == "models.sh" else 80):  # models.sh: one verb, three places
            yield f"{path.relative_to(HERE)} has {lines} lines"


def facts(path):
    read = yaml.safe_load(path.read_text())
    yield from (f"{kind} is no kind of fact" for kind in read if kind not in FACTS)
    yield from (f"{kind} has no facts" for kind, known in read.items() if not isinstance(known, dict) or not known)
    yield from (f"{other} is not there" for other in read.get("gossfile", {}) if not (path.parent / other).exists())
    units = {unit.name.split(".")[0] for unit in FILES.glob("*/etc/systemd/system/*.service")}
    yield from (f"{name} is no unit of ours" for name in read.get("service", {}) if name.startswith("ollama") and name not in units)
    for name in read.get("file", {}):
        if name.startswith(("/usr/share/ollama-fleet", "/etc/systemd")) and read["file"][name].get("exists") and \
                not any((role / name[1:]).exists() for role in FILES.iterdir()) and not made(name):
            yield f"nothing makes {name}"


def made(name):
    """Does a provisioning script make this?"""
    return any(name.removesuffix("/blobs").removesuffix("/index.html") in path.read_text() for path in (HERE / "provision").iterdir())


def agent(role):
    """The agent ships what is written, where it may, and counts nothing per machine: each series is paid."""
    text = (FILES / role / "usr/share/ollama-fleet/agent.json").read_text()
    read = json.loads(text)
    units = "".join(path.read_text() for folder in ("common", role) for path in (FILES / folder).rglob("*.service"))
    written = set(re.findall(r"append:(/var/log/ollama-fleet/\w+\.log)", units))
    shipped = {one["file_path"] for one in read["logs"]["logs_collected"]["files"]["collect_list"]}
    yield from (f"{name} is written and not shipped" for name in written - shipped)
    yield from (f"{name} is shipped and never written" for name in shipped - written if "cloud-init" not in name)
    holes = set(re.findall("@[A-Z_]+@", text))
    settled = (FILES / "common/usr/lib/ollama-fleet/settle.sh").read_text()
    yield from (f"nobody fills {hole}" for hole in holes if hole not in settled)
    collected = read["metrics"]["metrics_collected"]
    yield from (f"{name} is missing" for name in ("mem", "disk", *(["nvidia_gpu"] if role == "node" else [])) if name not in collected)
    yield from (f"{name} lacks the group's name" for name, one in collected.items() if one["append_dimensions"] != {"AutoScalingGroupName": "@GROUP@"})
    if read["metrics"]["aggregation_dimensions"] != [["AutoScalingGroupName"]] or not read["agent"]["omit_hostname"]:
        yield "a series per machine"


def main():
    good = True
    for path in sorted(HERE.glob("*.hcl")):
        try:
            hcl2.loads(path.read_text())
            good &= say(f"{path.name} can be read", [])
        except Exception as wrong:  # whatever the parser says
            good &= say(f"{path.name} can be read", [wrong])
    good &= say("every version and checksum stands in one file", versions())
    good &= say("the build runs every script, and only what is there", provisioned())
    good &= say("a script is short", short())
    for path in sorted((HERE / "goss").iterdir()):
        good &= say(f"facts of {path.stem}", facts(path))
    for role in ("front", "node"):
        good &= say(f"the agent of a {role} ships every log, and series of the group only", agent(role))
    sys.exit(not good)


main()
