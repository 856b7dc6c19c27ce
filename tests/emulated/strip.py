"""What MiniStack does not take of the templates, and the taking out of it. Everything that goes is a line of a list here
and a line of the output; what refers to a resource that is gone gets the text `stripped` in its place."""

import json

WITHOUT = "MiniStack has no such resource"
TYPES = {
    "AWS::AutoScaling::WarmPool": WITHOUT,
    "AWS::Budgets::Budget": WITHOUT,
    "AWS::Cognito::ManagedLoginBranding": WITHOUT,
    "AWS::EC2::EIP": WITHOUT,
    "AWS::EC2::EIPAssociation": WITHOUT,
    "AWS::EC2::Instance": WITHOUT,
    "AWS::EC2::NatGateway": WITHOUT,
    "AWS::EC2::PrefixList": WITHOUT,
    "AWS::EC2::SecurityGroupEgress": WITHOUT,
    "AWS::EC2::SecurityGroupIngress": WITHOUT,
}
MATH = "MiniStack computes no metric math"

YES, NO = {"Fn::Equals": ["1", "1"]}, {"Fn::Equals": ["1", "0"]}
TEXT = "MiniStack splits and joins no text in a condition; this is what the preset makes of it"
met = set()   # what of the list was needed

# Template, where in it, what stands there instead, why.
EDITS = [
    ("ollama-fleet.yaml", ("Conditions", "OwnPool"), YES, TEXT),
    *(("stacks/access.yaml", ("Conditions", f"Range{n}"), NO, TEXT) for n in range(2, 9)),
    ("stacks/network.yaml", ("Outputs", "VpcCidr", "Value"), {"Ref": "VpcCidr"}, "MiniStack's VPC does not tell its range"),
    ("stacks/egress.yaml", ("Parameters", "NatImage", "Default"), "/ollama-fleet/images/nat", "MiniStack has no public parameters of AWS, and lets nobody make them"),
]


def taken(name, template):
    """`template` as MiniStack takes it, and a line for each thing that was changed."""
    told = []
    for where, path, instead, why in EDITS:
        if where == name:
            at = template
            for step in path[:-1]:
                at = at[step]
            if path[-1] not in at:
                raise KeyError(f"{name} has no {'.'.join(path)} any more; take it out of {__name__}.py")
            at[path[-1]] = instead
            told.append(f"{name}: {'.'.join(path)} is {json.dumps(instead)}: {why}")
    resources = template["Resources"]
    for one, resource in list(resources.items()):
        kind = resource["Type"]
        why = TYPES.get(kind) or (MATH if kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"] else None)
        if why:
            del resources[one]
            met.add(kind)
            told.append(f"{name}: {one} ({kind}) is left out: {why}")
    known = {*resources, *template.get("Parameters", {})}
    for part in ("Resources", "Outputs"):
        template[part] = _without_dangling(template.get(part, {}), known, name, told)
    return template, told


def needless():
    """What of the list no template has any more."""
    return [f"no template has a resource of {kind}; take it out of {__name__}.py" for kind in TYPES if kind not in met]


def _without_dangling(node, known, name, told):
    """`node`, with a text where something is referred to that is not there."""
    if isinstance(node, list):
        return [_without_dangling(part, known, name, told) for part in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        (function, argument), = node.items()
        target = argument if function == "Ref" else argument[0] if function == "Fn::GetAtt" else None
        if isinstance(target, str) and target not in known and not target.startswith("AWS::"):
            told.append(f"{name}: {json.dumps(node)} is a text: {target} is left out")
            return "stripped"
    return {key: _without_dangling(part, known, name, told) for key, part in node.items()}
