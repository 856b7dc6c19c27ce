"""Every template has one shape and a size that fits the head; every alarm says what to do, in a page that is there."""

import re
import sys

from template import ALL, HERE, PARENT, read, say

SECTIONS = ["AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
            "Resources", "Outputs"]
PAGE = HERE.parent / "docs/operate/alarms.md"
# The three that drive the group tell nobody.
DRIVES = {"NodesShort", "QueueWhileAsleep", "QueueTooLong"}


def size(template):
    parameters, resources = len(template["Parameters"]), len(template["Resources"])
    if parameters > 16:
        yield f"{parameters} parameters; 16 at most"
    if resources > 20:
        yield f"{resources} resources; 20 at most"


def sections(template):
    present = list(template)
    if present != [section for section in SECTIONS if section in present]:
        yield f"sections stand as {present}"
    for needed in ("Description", "Parameters", "Rules", "Resources", "Outputs"):
        if needed not in present:
            yield f"{needed} is missing"


def alarms_last(template):
    kinds = [kind["Type"] in ("AWS::CloudWatch::Alarm", "AWS::Events::Rule") for kind in template["Resources"].values()]
    if sorted(kinds) != kinds:
        yield "an alarm stands among the resources"


def alarms_help(template, topics):
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        properties = resource["Properties"]
        if "TreatMissingData" not in properties:
            yield f"{name}: says nothing of missing data"
        if name in DRIVES:
            continue
        topic = re.search(r"docs/operate/alarms\.md, (\w+)$", properties["AlarmDescription"])
        if not topic or topic[1] not in topics:
            yield f"{name}: its description names no chapter of {PAGE.name}"


def refusals(template):
    for name, rule in template.get("Rules", {}).items():
        for assertion in rule["Assertions"]:
            if len(assertion.get("AssertDescription", "")) < 20:
                yield f"{name}: refuses without a sentence"


def only_stacks(template):
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::CloudFormation::Stack":
            yield f"{name} is no nested stack"
        elif resource["Properties"].get("Tags") != [{"Key": "Fleet", "Value": {"Ref": "AWS::StackName"}}]:
            yield f"{name} has no cost tag"


def main():
    topics = set(re.findall(r"^## (\w+)$", PAGE.read_text(), re.M))
    good = True
    for path in ALL:
        template = read(path)
        faults = [*size(template), *sections(template), *alarms_last(template), *alarms_help(template, topics),
                  *refusals(template)]
        good &= say(f"shape of {path.relative_to(HERE)}", faults)
    good &= say("the parent holds nested stacks and nothing else", list(only_stacks(read(PARENT))))
    nested = {stack["Properties"]["TemplateURL"] for stack in read(PARENT)["Resources"].values()}
    there = {str(path.relative_to(HERE)) for path in ALL if path.parent.name == "stacks"}
    good &= say("every child is nested once", sorted(there ^ nested))
    sys.exit(not good)


main()
