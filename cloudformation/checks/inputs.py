"""What the parent takes and what it refuses: the presets pass, and each sentence of its rules has an input that meets it.

The rules are evaluated here by their documented meaning; CloudFormation itself is not asked.
"""

import json
import re
import sys

from template import HERE, PARENT, read, say

TEMPLATE = read(PARENT)
LISTS = {name for name, parameter in TEMPLATE["Parameters"].items() if parameter["Type"] == "CommaDelimitedList"}


def holds(condition, values):
    """A rule's condition, for parameter values given as texts."""
    if isinstance(condition, str):
        return condition
    if isinstance(condition, list):
        return [holds(part, values) for part in condition]
    (name, argument), = condition.items()
    if name == "Ref":
        return values[argument].split(",") if argument in LISTS else values[argument]
    operands = [holds(part, values) for part in argument]
    return {
        "Fn::Equals": lambda: operands[0] == operands[1],
        "Fn::Contains": lambda: operands[1] in operands[0],
        "Fn::Not": lambda: not operands[0],
        "Fn::And": lambda: all(operands),
        "Fn::Or": lambda: any(operands),
    }[name]()


def refusals(given):
    """The sentences with which the parent refuses `given`."""
    values = {}
    for name, parameter in TEMPLATE["Parameters"].items():
        if name not in given and "Default" not in parameter:
            yield f"{name} is missing"
            return
        values[name] = str(given.get(name, parameter.get("Default")))
        for part in values[name].split(",") if name in LISTS else [values[name]]:
            if not re.search(parameter.get("AllowedPattern", ""), part):
                yield f"{name}: {parameter.get('ConstraintDescription', 'does not fit its pattern')}"
        if values[name] not in [str(value) for value in parameter.get("AllowedValues", [values[name]])]:
            yield f"{name}: {values[name]} is none of the allowed values"
    for rule in TEMPLATE["Rules"].values():
        if "RuleCondition" in rule and not holds(rule["RuleCondition"], values):
            continue
        yield from (one["AssertDescription"] for one in rule["Assertions"] if not holds(one["Assert"], values))


def preset(name):
    pairs = json.loads((HERE / f"parameters/{name}.json").read_text())
    return {pair["ParameterKey"]: pair["ParameterValue"] for pair in pairs}


# A preset, what is changed in it, and words of the sentence that must answer.
REFUSED = [
    ("prod", {"AllowedRanges": "0.0.0.0/0"}, "AllowedRanges must not hold 0.0.0.0/0"),
    ("prod", {"AllowedRanges": "203.0.113.0/24,10.0.0.0/7"}, "none wider than /8"),
    ("prod", {"Domain": "https://translate.example.com"}, "must be a host name"),
    ("prod", {"Issuer": "example.com"}, "must be cognito"),
    ("prod", {"Issuer": "https://example.eu.auth0.com/ client more"}, "after a space, the page's client"),
    ("prod", {"Nodes": "10"}, "fewest and most"),
    ("prod", {"MoreSettings": "conversations.keep_days=365"}, "must be keys of gateway.toml"),
    ("prod", {"MoreSettings": "CONVERSATIONS__KEEP_DAYS=365, COSTS__GPU_HOUR=0.5"}, "without spaces"),
    ("prod", {"MoreSettings": "CONVERSATIONS__ARCHIVE=$(reboot)"}, "must be keys of gateway.toml"),
    ("prod", {"Nodes": "0-0"}, "fewest and most"),
    ("prod", {"Capacity": "wide"}, "percentage of Spot"),
    ("prod", {"Capacity": "wide-75"}, "percentage of Spot"),
    ("prod", {"AlarmMail": "nobody"}, "must be a mail address"),
    ("prod", {"ExistingNetwork": "vpc-1 10.1.0.0/16 subnet-1", "Egress": "existing"}, "four words"),
    ("single", {"Nodes": "0-4"}, "set Nodes to 0-1"),
    ("single", {"Fronts": "1"}, "set Fronts to 0"),
    ("single", {"Capacity": "wide-100"}, "must not be interrupted"),
    ("single", {"Egress": "nat-gateway"}, "set Egress to none"),
    ("prod", {"Fronts": "0"}, "set Fronts to 1 or 2"),
    ("prod", {"CertificateArn": ""}, "speaks TLS only"),
    ("prod", {"Egress": "none"}, "must reach AWS"),
    ("prod", {"Egress": "existing"}, "has no way out yet"),
    ("prod", {"ExistingNetwork": "vpc-1 10.1.0.0/16 subnet-1,subnet-2 subnet-3,subnet-4"}, "its owner's"),
    ("prod", {"Models": "gemma3n:e4b,gemma3:27b"}, "too large for the 16 GB"),
    ("prod", {"Models": "qwen3:32b", "InstanceType": "g6.xlarge"}, "too large for 24 GB"),
    ("prod", {"Models": "llama3.3:70b", "InstanceType": "g6e.xlarge"}, "too large for every instance type"),
]
TAKEN = [
    ("prod", {"Nodes": "2-10"}),
    ("prod", {"MoreSettings": "CONVERSATIONS__KEEP_DAYS=365,CONVERSATIONS__SEARCH=true,COSTS__GPU_HOUR=0.526"}),
    ("prod", {"Reach": "internal"}),
    ("prod", {"Issuer": "https://example.eu.auth0.com/"}),
    ("prod", {"Issuer": "https://example.eu.auth0.com/ 4fe", "Reach": "internal"}),
    ("prod", {"Issuer": "cognito:example.com,example.org"}),
    ("prod", {"Models": "gemma3:27b", "InstanceType": "g6.xlarge"}),
    ("prod", {"Egress": "existing", "ExistingNetwork": "vpc-1 10.1.0.0/16 subnet-1,subnet-2 subnet-3,subnet-4"}),
]


def main():
    good = True
    for name in ("single", "dev", "small", "prod"):
        good &= say(f"preset {name} is taken", list(refusals(preset(name))))
    for name, change in TAKEN:
        good &= say(f"{name} with {change} is taken", list(refusals(preset(name) | change)))
    met = set()
    for name, change, words in REFUSED:
        said = list(refusals(preset(name) | change))
        met.update(said)
        good &= say(f"{name} with {change} is refused", [] if any(words in one for one in said) else [f"said: {said}"])
    sentences = {one["AssertDescription"] for rule in TEMPLATE["Rules"].values() for one in rule["Assertions"]}
    good &= say("every sentence of the parent's rules has been met", sorted(sentences - met))
    sys.exit(not good)


main()
