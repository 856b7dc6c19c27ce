"""What machines are told: the user data of nodes, fronts and a single node is run, and the files it writes are read."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

from template import HERE, PARENT, read, say


def value(node, names, conditions):
    """An intrinsic function's value, of those that the settings and the user data use."""
    if not isinstance(node, dict):
        return [value(part, names, conditions) for part in node] if isinstance(node, list) else node
    if len(node) != 1 or not next(iter(node)).startswith(("Fn::", "Ref")):
        return {key: value(part, names, conditions) for key, part in node.items()}
    (name, argument), = node.items()
    if name == "Ref":
        return names[argument]
    if name == "Fn::GetAtt":
        return names[".".join(argument)]
    if name == "Fn::If":
        return value(argument[1 if conditions[argument[0]] else 2], names, conditions)
    if name == "Fn::Sub":
        text, own = argument if isinstance(argument, list) else (argument, {})
        known = names | value(own, names, conditions)
        return re.sub(r"\$\{([\w.:]+)\}", lambda hole: str(known[hole[1]]), text)
    parts = value(argument, names, conditions)
    if name == "Fn::Join":
        return parts[0].join(parts[1])
    if name == "Fn::Split":
        return parts[1].split(parts[0])
    if name == "Fn::Select":
        return parts[1][int(parts[0])]
    return {"Fn::Base64": lambda: parts}[name]()


def settings(direct, own_pool, page="", more=""):
    """The outputs of settings.yaml. `page`: client and sign-in, where a front serves the page; `more`: MoreSettings."""
    names = {"Fleet": "main", "Domain": "translate.example.com", "AllowedRanges": ["203.0.113.0/24", "198.51.100.0/24"],
             "VpcCidr": "10.0.0.0/16", "Issuer": "https://issuer.example.com/", "Client": "4fe" if own_pool else "",
             "PageClient": page, "Translator": "gemma3n:e4b", "Memory": ["main-Table-1", "models-1", "archive-1"], "Nodes": "2-10",
             "Spending": ["2000", "g4dn.xlarge", "gpu_hour = 0.526", "true"], "MoreSettings": more,
             "CertificateSecret": "arn:secret" if direct else "", "AWS::Region": "eu-west-1", "Entrance": ""}
    if not direct:
        section = read(HERE / "stacks/entrance.yaml")["Outputs"]["ScalerSection"]["Value"]
        names["Entrance"] = value(section, {"Weights": "arn:aws:x:listener-rule/1", "Nodes": "arn:aws:x:targetgroup/n",
                                            "Fronts": "arn:aws:x:targetgroup/f"}, {})
    conditions = {"Always": True, "Direct": direct, "Pool": not direct, "OwnPool": own_pool, "OwnCertificate": direct, "Page": page != "", "More": more != ""}
    resources = read(HERE / "stacks/settings.yaml")["Resources"]
    made = [name for name, resource in resources.items() if conditions[resource.get("Condition", "Always")]]
    return {name: value(resources[name]["Properties"]["Value"], names, conditions) for name in made}


def files(template, direct, told):
    """The files that a machine's user data writes, by name."""
    names = {"Fleet": "main", "Models": ["gemma3n:e4b", "nomic-embed-text"], "Settings": told["Gateway"],
             "Environment": told["Environment"], "Scaler": told["Scaler"], "Page": told.get("Page", ""), "Address.AllocationId": "eipalloc-1"}
    data = read(HERE / f"stacks/{template}.yaml")["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["UserData"]
    with tempfile.TemporaryDirectory() as folder:
        machine = pathlib.Path(folder)
        tool = machine / "cloud-init"
        tool.write_text("#!/bin/sh\n[ \"$*\" = 'query v1.instance_id' ] && echo i-0123\n")
        tool.chmod(0o755)
        script = value(data, names, {"Direct": direct, "Page": "Page" in told}).replace("/etc/ollama-fleet", f"{folder}/etc")
        subprocess.run(["bash", "-c", script], check=True, env={"PATH": f"{folder}:/usr/bin:/bin"})
        return {path.name: path.read_text().replace(f"{folder}/etc", "/etc/ollama-fleet") for path in (machine / "etc").iterdir()}


def faults(written, expected):
    """Where the files differ from what is expected of them, as `file: dotted key: value`."""
    for (file, key), wanted in expected.items():
        text = written.get(file, "")
        known = dict(line.split("=", 1) for line in text.splitlines() if "=" in line) if file.endswith(".env") else json.loads(text) if file.endswith(".json") else tomllib.loads(text)
        for part in key.split(".") if file.endswith(".toml") else [key]:
            known = known.get(part, "missing") if isinstance(known, dict) else known[int(part)]
        if known != wanted:
            yield f"{file}: {key} is {json.dumps(known)}, not {json.dumps(wanted)}"


ALWAYS = {
    ("gateway.toml", "store.kind"): "dynamodb",
    ("gateway.toml", "fleet.name"): "main",
    ("gateway.toml", "access.allowed_networks"): ["203.0.113.0/24", "198.51.100.0/24", "10.0.0.0/16"],
    ("gateway.toml", "access.allowed_origins"): ["https://translate.example.com"],
    ("gateway.toml", "conversations.archive"): "s3://archive-1/conversations",   # roles may read and write there
    ("gateway.toml", "conversations.context_tokens"): 8192,   # what Ollama runs with, below
    ("gateway.toml", "costs.budget"): 2000,
    ("gateway.toml", "costs.gpu_hour"): 0.526,
    ("gateway.toml", "costs.explorer"): True,
    ("gateway.toml", "catalogue.instance_type"): "g4dn.xlarge",
    ("node.env", "ARCHIVE_BUCKET"): "archive-1",
    ("gateway.toml", "translate.model"): "gemma3n:e4b",   # for a front while the fleet sleeps
    ("gateway.toml", "roles.admin.manage_models"): True,
    ("gateway.toml", "metrics.on"): True,   # QueueDepth while there is no scaler, for the slow policies
    ("node.env", "GATEWAY__INSTANCE__KIND"): "ec2",
    ("node.env", "GATEWAY__INSTANCE__TERMINATE_HOOK"): "drain",
    ("node.env", "OLLAMA_ORIGINS"): "https://translate.example.com",
    ("node.env", "GATEWAY__FLEET__NODE"): "i-0123",
}
NODE = {("gateway.toml", "ollama.parallel"): 4, ("gateway.toml", "ollama.models_directory"): "/var/lib/ollama/models", ("node.env", "OLLAMA_CONTEXT_LENGTH"): "8192",
        ("gateway.toml", "ollama.models"): ["gemma3n:e4b", "nomic-embed-text"],
        ("node.env", "LAUNCH_HOOK"): "ready", ("node.env", "GATEWAY__INSTANCE__LAUNCH_HOOK"): "ready", ("node.env", "GATEWAY__INSTANCE__GROUP"): "main-nodes",
        ("node.env", "ROLE"): "node", ("node.env", "OLLAMA_HOST"): "127.0.0.1:11434"}
SCALER = {("scaler.toml", "group.kind"): "aws", ("scaler.toml", "group.name"): "main-nodes", ("scaler.toml", "group.min"): 2,
          ("scaler.toml", "group.max"): 10, ("scaler.toml", "metrics.on"): True}
# A front that serves the page: its address and its gateway are one origin, which ALWAYS allows.
PAGE = {("gateway.toml", "ui.directory"): "/usr/share/ollama-fleet/ui", ("page.json", "api"): "", ("page.json", "issuer"): "https://issuer.example.com/",
        ("page.json", "client_id"): "4fe", ("page.json", "operator_groups"): ["ollama-operators", "ollama-admins"]}
PAGE_COGNITO = {("page.json", "audience"): "", ("page.json", "groups_claim"): "cognito:groups",
                ("page.json", "logout_url"): "https://sign-in.example.com/logout?client_id={client_id}&logout_uri={return_to}"}
PAGE_OUTSIDE = {("page.json", "audience"): "https://api.translate.example.com", ("page.json", "logout_url"): "",
                ("page.json", "groups_claim"): "https://translate.example.com/groups"}
NO_PAGE = {("gateway.toml", "ui"): "missing"}
BALANCED = {("gateway.toml", "access.trusted_proxies"): ["10.0.0.0/16"], ("gateway.toml", "tls"): "missing"}
COGNITO = {("gateway.toml", "issuers.0.kind"): "cognito", ("gateway.toml", "issuers.0.client_ids"): ["4fe"],
           ("gateway.toml", "issuers.0.audiences"): [], ("gateway.toml", "issuers.0.groups_claim"): "cognito:groups"}
OUTSIDE = {("gateway.toml", "issuers.0.kind"): "oidc", ("gateway.toml", "issuers.0.client_ids"): [],
           ("gateway.toml", "issuers.0.audiences"): ["https://api.translate.example.com"],
           ("gateway.toml", "issuers.0.groups_claim"): "https://translate.example.com/groups"}


def page(written):
    """What the built page is told has the keys that it knows, and lies where the image has put page and link."""
    known, told = json.loads((HERE.parent / "ui/config.example.json").read_text()), json.loads(written.get("page.json", "{}"))
    yield from (f"page.json: {key} is on one side only" for key in sorted({*known} ^ {*told} | {*known["limits"]} ^ {*told.get("limits", {})}))
    image = (HERE.parent / "packer/provision/files-front.sh").read_text()
    yield from (f"the front's image has no {place}" for place in ("/usr/share/ollama-fleet/ui", "/etc/ollama-fleet/page.json") if place not in image)


def hooks(template, written):
    """The gateway names the group's own hooks, and all of them: one that nobody completes holds every machine to its end."""
    group = read(HERE / f"stacks/{template}.yaml")["Resources"]["Group"]["Properties"]
    there = {hook["LifecycleHookName"] for hook in group["LifecycleHookSpecificationList"]}
    named = set(re.findall(r"^GATEWAY__INSTANCE__\w+_HOOK=(.*)$", written["node.env"], re.M))
    yield from (f"hook {name} is on one side only" for name in sorted(there ^ named))
    if f"GATEWAY__INSTANCE__GROUP={group['AutoScalingGroupName']['Fn::Sub'].replace('${Fleet}', 'main')}\n" not in written["node.env"]:
        yield "the gateway belongs to another group"


def handed_down():
    """The parent takes its parameter Issuer apart: the issuer itself, and the page's client where fronts serve the page."""
    given = read(HERE / "ollama-fleet.yaml")["Resources"]["Settings"]["Properties"]["Parameters"]
    for issuer, internal, wanted in (("cognito:example.com", True, ("pool", "4fe sign-in")), ("cognito", False, ("pool", "")),
                                     ("https://a.example/ 7ab", True, ("https://a.example/", "7ab")), ("https://a.example/ 7ab", False, ("https://a.example/", "")),
                                     ("https://a.example/", True, ("https://a.example/", ""))):
        names = {"Issuer": issuer, "Identity.Outputs.Issuer": "pool", "Identity.Outputs.Client": "4fe", "Identity.Outputs.SignInUrl": "sign-in"}
        conditions = {"OwnPool": issuer.startswith("cognito"), "Internal": internal}
        got = tuple(value(given[name], names, conditions) for name in ("Issuer", "PageClient"))
        if got != wanted:
            yield f"of {issuer}, internal: {internal}, it hands down {got}, not {wanted}"


def fronts_rule(name, paths, condition):
    """What only fronts have must not depend on the weights."""
    rules = read(HERE / "stacks/entrance.yaml")["Resources"]
    rule, weights = rules[name], rules["Weights"]
    if rule["Properties"]["Priority"] >= weights["Properties"]["Priority"] or rule.get("Condition") != condition:
        yield "it comes after the weights, or where it is not wanted"
    if [action["TargetGroupArn"] for action in rule["Properties"]["Actions"]] != [{"Ref": "Fronts"}]:
        yield "it does not lead to the fronts alone"
    if rule["Properties"]["Conditions"][0]["PathPatternConfig"]["Values"] != paths:
        yield f"it takes other paths than {paths}"


def places():
    """Where programs are told to write is where their roles may."""
    resources = read(HERE / "stacks/access.yaml")["Resources"]
    archive = tomllib.loads(settings(False, True)["Gateway"])["conversations"]["archive"].removeprefix("s3://archive-1/")
    bot = {path for script in (HERE.parent / "packer/files/front/usr/lib/ollama-fleet").glob("bot-*.sh")
           for path in re.findall(r"(?:s3://\$ARCHIVE_BUCKET/|--key )([\w./]+)", script.read_text())}
    policies = {"machines": resources["Gateway"]["Properties"]["PolicyDocument"], "fronts": resources["FrontRole"]["Properties"]["Policies"][0]["PolicyDocument"]}
    for who, sid, paths in (("machines", "Archive", {f"{archive}/a"}), ("fronts", "BotMemory", bot)):
        allowed = next(one["Resource"]["Fn::Sub"] for one in policies[who]["Statement"] if one.get("Sid") == sid)
        yield from (f"{who} may not write {path}, only {allowed}" for path in paths or {"nothing"} if not f"${{ArchiveArn}}/{path}".startswith(allowed.removesuffix("*")))
    secret = next(one["Resource"]["Fn::Sub"] for one in policies["fronts"]["Statement"] if one.get("Sid") == "Bot")
    asked = re.search(r'--secret-id "([^"]+)"', (HERE.parent / "packer/files/front/usr/lib/ollama-fleet/bot-turn.sh").read_text())[1]
    if not secret.removesuffix("-??????").endswith(f":secret:{asked.replace('$FLEET', '${Fleet}')}"):
        yield f"the bot's secret is {asked}, and fronts may read {secret}"


def prices():
    """The parent's prices are the calculator's."""
    known = re.search(r"^GPU = (\{.*?\})", (HERE.parent / "scripts/costs.py").read_text(), re.M)[1]
    wanted = {name: f"gpu_hour = {price}" for name, price in json.loads(known).items()}
    parent = read(PARENT)
    told = {name: one["Hour"] for name, one in parent["Mappings"]["Price"].items()}
    yield from (f"{name}: {told.get(name)}, not {line}" for name, line in wanted.items() if told.get(name) != line)
    yield from (f"{name} has a price that nobody read" for name in told.keys() - wanted.keys() if not told[name].startswith("#"))
    yield from (f"{name} has no line" for name in set(parent["Parameters"]["InstanceType"]["AllowedValues"]) ^ told.keys())


def taken(machine, written):
    """What the real gateway and scaler say to the files, where PROGRAMS names a folder with them."""
    if not os.environ.get("PROGRAMS"):
        return True
    good = True
    with tempfile.TemporaryDirectory() as folder:
        told = dict(line.split("=", 1) for line in written["node.env"].splitlines())
        told |= {"GATEWAY__FLEET__ADDRESS": "10.0.0.7:8443"}   # the image's boot adds it
        for name in ("certificate.pem", "private_key.pem"):
            pathlib.Path(folder, name).touch()
        for program in ("gateway", "scaler"):
            if f"{program}.toml" not in written:
                continue
            file = pathlib.Path(folder, f"{program}.toml")
            file.write_text(written[file.name].replace("/etc/ollama-fleet/tls", folder))
            done = subprocess.run([f"{os.environ['PROGRAMS']}/{program}", "check-config", "--config", file], env=told, capture_output=True, text=True)
            good &= say(f"the {program} takes the file of a {machine}", [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines())
    return good


def main():
    good = True
    node = files("fleet", False, settings(False, True))
    good &= say("a node's files", [*faults(node, ALWAYS | NODE | BALANCED | COGNITO | NO_PAGE | {("gateway.toml", "listen.address"): "0.0.0.0:8443"}),
                                   *(["it runs a scaler"] if "scaler.toml" in node else [])])
    good &= taken("node", node)
    good &= say("a node's gateway knows its group and every hook", list(hooks("fleet", node)))
    front = files("front", False, settings(False, False))
    good &= say("a front's files, with an outside issuer", list(faults(front, ALWAYS | SCALER | BALANCED | OUTSIDE | NO_PAGE | {
        ("node.env", "ROLE"): "front", ("node.env", "GATEWAY__INSTANCE__GROUP"): "main-fronts", ("node.env", "GATEWAY__INSTANCE__LAUNCH_HOOK"): "missing",
        ("gateway.toml", "ollama"): "missing",
        ("scaler.toml", "entrance.rule"): "arn:aws:x:listener-rule/1", ("scaler.toml", "entrance.gpu_target_group"): "arn:aws:x:targetgroup/n",
        ("scaler.toml", "entrance.front_target_group"): "arn:aws:x:targetgroup/f", ("scaler.toml", "group.warm_boot_seconds"): 90})))
    good &= taken("front", front)
    good &= say("a front's gateway knows its group and every hook", list(hooks("front", front)))
    good &= say("a front without the page has no file for it", ["there is a page.json"] if "page.json" in front else [])
    for issuer, own_pool, told, expected in (("a pool", True, "4fe https://sign-in.example.com", COGNITO | PAGE_COGNITO), ("an outside issuer", False, "4fe", OUTSIDE | PAGE_OUTSIDE)):
        front = files("front", False, settings(False, own_pool, told))
        good &= say(f"a front that serves the page, with {issuer}", [*faults(front, ALWAYS | SCALER | BALANCED | PAGE | expected), *page(front)])
    good &= say("the parent hands issuer and client down", list(handed_down()))
    good &= say("the page of an internal fleet comes from its fronts, whatever the weights", list(fronts_rule("Page", ["/ui", "/ui/*"], "Internal")))
    good &= say("so do the costs of every fleet, so that few ask Cost Explorer", list(fronts_rule("Costs", ["/fleet/costs"], None)))
    good &= say("what machines are told to write, and which secret to read, their roles may", list(places()))
    good &= say("a node's price is what the calculator has", list(prices()))
    more = settings(False, True, more="CONVERSATIONS__KEEP_DAYS=365,CONVERSATIONS__SEARCH=true")
    for machine, template in (("node", "fleet"), ("front", "front")):
        written = files(template, False, more)
        good &= say(f"a {machine} is told further settings", list(faults(written, ALWAYS | {
            ("node.env", "GATEWAY__CONVERSATIONS__KEEP_DAYS"): "365", ("node.env", "GATEWAY__CONVERSATIONS__SEARCH"): "true"})))
        good &= taken(f"{machine} with further settings", written)
    single = files("fleet", True, settings(True, True))
    good &= say("a single node's files", list(faults(single, ALWAYS | NODE | SCALER | COGNITO | NO_PAGE | {
        ("gateway.toml", "listen.address"): "0.0.0.0:443", ("gateway.toml", "access.trusted_proxies"): [],
        ("gateway.toml", "tls.certificate"): "/etc/ollama-fleet/tls/certificate.pem", ("node.env", "CERTIFICATE_SECRET"): "arn:secret",
        ("node.env", "ADDRESS_ALLOCATION"): "eipalloc-1", ("scaler.toml", "entrance"): "missing"})))
    good &= taken("single node", single)
    sys.exit(not good)


main()
