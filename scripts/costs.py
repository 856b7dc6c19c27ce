#!/usr/bin/env python3
"""What a fleet costs a month, line by line, from the presets and templates as they are: `scripts/costs.py` for all
presets, `scripts/costs.py prod Reach=internal Fronts=1` for one with changes, or a file of parameters. Writes the table of docs/operate/costs.md
with --page, and says with --check whether that page still agrees. Asks nobody; prices are at the top.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STACKS = ROOT / "cloudformation/stacks"
PAGE = ROOT / "docs/operate/costs.md"
HOURS = 730  # of a month, as AWS counts

# USD, us-east-1, on demand, read between 2026-07 and 2026-10 in AWS's price lists where nothing else is said.
ALB = 0.0225  # an hour; a unit of load (25 connections or 1 GB) is $0.008 more, not in the floor
ADDRESS = 0.005  # a public IPv4, an hour
NAT_GATEWAY = 0.045  # an hour; the same again for each GB
NANO = 0.0042  # t4g.nano, an hour
SMALL = 0.0168  # t4g.small
ENDPOINT = 0.01  # an interface endpoint, an hour and zone
DISK = 0.08  # gp3, a GB
SNAPSHOT = 0.05  # a GB
METRIC = 0.30
ALARM = {False: 0.10, True: 0.30}  # and those of 10 s; an alarm over several metrics counts as many
PUT = 0.01 / 1000  # a call that publishes
SECRET_CALL = 0.05 / 10_000  # of Secrets Manager, by an overview of others; a secret itself is $0.40 a month
TABLE = (4.61, 1.59)  # a sleeping fleet with one front, and one more front: docs/decisions/0006
METRICS = 23  # series of fleet and agents
GPU = {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006, "g6.xlarge": 0.8048}  # an hour; g6e.xlarge: none was read
# Not read in a list, from memory: what a year's reservation without upfront payment and the Spot market ask of the list
# price. A reservation is paid for every hour of the month.
RESERVED, SPOT = 0.63, 0.40
USED = (0, 10, 40, 160, 730)  # node-hours a month


def alarms(preset):
    """What the alarms of the stacks that this preset makes cost."""
    made = ["fleet", "storage"]
    if preset["Reach"] != "direct":
        made += ["entrance", "front", "scaling", "watch"] + (["egress"] if preset["Egress"] == "nat-instance" else [])
    cost = 0
    for name in made:
        for block in (STACKS / f"{name}.yaml").read_text().split("Type: AWS::CloudWatch::Alarm")[1:]:
            block = re.split(r"\n  \w", block)[0]
            cost += max(1, block.count("MetricStat:")) * ALARM[bool(re.search(r"Period: 10$", block, re.M))]
    return cost


def floor(preset):
    """The lines of a month without a single request: part, what, USD."""
    balanced = preset["Reach"] != "direct"
    fronts = int(preset["Fronts"])
    zones = 3 if fronts == 2 else 2
    warm = (2 if fronts == 2 else 1) if balanced and preset["Capacity"] == "warm" else 0
    if balanced:
        yield "entrance", "load balancer", ALB * HOURS
    if preset["Reach"] == "internet":
        yield "entrance", f"its public addresses ({zones})", zones * ADDRESS * HOURS
    if preset["Egress"] == "nat-instance":
        yield "way out", "NAT instance t4g.nano, 8 GB", NANO * HOURS + 8 * DISK
    if preset["Egress"] == "nat-gateway":
        yield "way out", "NAT gateway", NAT_GATEWAY * HOURS
    if preset["Egress"] == "endpoints":
        yield "way out", f"7 interface endpoints in {zones} zones", 7 * zones * ENDPOINT * HOURS
    if preset["Egress"].startswith("nat-") or not balanced:
        yield "way out", "address of NAT or node", ADDRESS * HOURS
    if fronts:
        yield "fronts", f"{fronts} × t4g.small, 8 GB", fronts * (SMALL * HOURS + 8 * DISK)
    if warm:
        yield "warm pool", f"{warm} × 30 GB", warm * 30 * DISK
    yield "rest", "images, 30 and 8 GB" if fronts else "image, 30 GB", (38 if fronts else 30) * SNAPSHOT
    if balanced:
        yield "rest", f"{METRICS} metrics", METRICS * METRIC
        yield "rest", "looking for a bot every 5 min", HOURS * 12 * SECRET_CALL  # one front of two
        yield "rest", "publishing every 10 s, agents every 60 s", (HOURS * 360 + fronts * HOURS * 60) * PUT
    yield "rest", "alarms", alarms(preset)
    if balanced:
        yield "rest", "table", TABLE[0] + (fronts - 1) * TABLE[1]


def preset(name):
    path = pathlib.Path(name) if name.endswith(".json") else ROOT / f"cloudformation/parameters/{name}.json"
    pairs = json.loads(path.read_text())
    return {pair["ParameterKey"]: pair["ParameterValue"] for pair in pairs}


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def money(value):
    return f"{value:,.2f}"


def told(chosen):
    """The tables for presets by name."""
    floors = {name: list(floor(one)) for name, one in chosen.items()}
    whats = list(dict.fromkeys((part, re.sub(r" \(\d\)|^\d × ", "", what)) for lines in floors.values() for part, what, _ in lines))
    yield row("USD a month, asleep", *chosen)
    yield row("---", *["---:"] * len(chosen))
    for key in whats:
        cells = [sum(cost for part, what, cost in lines if (part, re.sub(r" \(\d\)|^\d × ", "", what)) == key) for lines in floors.values()]
        yield row(f"{key[0]}: {key[1]}", *[money(cell) if cell else "" for cell in cells])
    totals = {name: sum(round(cost, 2) for *_, cost in lines) for name, lines in floors.items()}
    yield row("**in all**", *[f"**{money(total)}**" for total in totals.values()])
    yield ""
    yield row("part of the floor", *chosen)
    yield row("---", *["---:"] * len(chosen))
    for part in ("entrance", "way out", "fronts", "warm pool", "rest"):
        cells = [sum(cost for one, _, cost in lines if one == part) / totals[name] for name, lines in floors.items()]
        yield row(part, *[f"{cell:.0%}" for cell in cells])
    for name, one in chosen.items():
        price = GPU.get(one["InstanceType"])
        yield ""
        if price is None:
            yield f"No price of {one['InstanceType']} is known here; its hours are not counted."
            continue
        yield row(f"{name}: node-hours of {one['InstanceType']}", *[str(hours) for hours in USED])
        yield row("---", *["---:"] * len(USED))
        for label, cost in (("on demand", lambda hours: hours * price), ("Spot, about", lambda hours: hours * price * SPOT),
                            ("one reserved for a year, about", lambda hours: HOURS * price * RESERVED + max(0, hours - HOURS) * price)):
            if label.startswith("Spot") and one["Capacity"] == "warm":
                continue
            yield row(label, *[money(totals[name] + cost(hours)) for hours in USED])
    cheap = [name for name, total in totals.items() if total < 60]
    yield ""
    yield f"Below $60 asleep: {', '.join(cheap) or 'none of these'}."


def main(words):
    names = [word for word in words if "=" not in word and not word.startswith("--")] or ["single", "dev", "small", "prod"]
    changes = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        chosen = {name: preset(name) | changes for name in names}
    except FileNotFoundError as missing:
        sys.exit(f"scripts/costs.py: no preset there: {missing.filename}")
    unknown = changes.keys() - preset(names[0]).keys()
    if unknown:
        sys.exit(f"scripts/costs.py: no such parameter: {', '.join(sorted(unknown))}")
    text = "\n".join(told(chosen))
    if "--page" in words or "--check" in words:
        begin, end = "<!-- scripts/costs.py -->\n", "<!-- end -->"
        page = PAGE.read_text()
        before, rest = page.split(begin, 1)
        wanted = before + begin + text + "\n" + end + rest.split(end, 1)[1]
        if "--page" in words:
            PAGE.write_text(wanted)
        elif wanted != page:
            sys.exit("docs/operate/costs.md is not what scripts/costs.py says; run scripts/costs.py --page")
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
