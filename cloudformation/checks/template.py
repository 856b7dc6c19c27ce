"""Reads a template as CloudFormation does: short forms become the long ones."""

import pathlib

import yaml

HERE = pathlib.Path(__file__).resolve().parent.parent
PARENT = HERE / "ollama-fleet.yaml"
ALL = [PARENT, HERE / "edge.yaml", *sorted((HERE / "stacks").glob("*.yaml"))]


class _Loader(yaml.SafeLoader):
    """YAML with the tags of CloudFormation."""


def _long_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)
# A template's date is text.
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path):
    """The template in `path`, as nested dictionaries in the order of the file."""
    return yaml.load(path.read_text(), _Loader)  # noqa: S506, a subclass of the safe loader


def say(name, faults):
    """One line of the report; the faults below a failure. Returns whether there were none."""
    print(f"{'not ok' if faults else 'ok'} {name}")
    for fault in faults:
        print(f"  {fault}")
    return not faults
