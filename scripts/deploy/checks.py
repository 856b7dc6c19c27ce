"""The commands of the deployment, run against programs that note how they were called and answer as told: each check is
a promise. No account is asked. What only an account shows stands in docs/operate/deploy.md."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STUB = r"""#!/bin/bash
call="${0##*/} $*"
printf '%s\n' "${call//$'\n'/ }" >>"$STUBS/calls"
for n in "$STUBS"/answers/*; do
    [ -e "$n" ] || break
    { IFS= read -r pattern; IFS= read -r status; answer=$(cat); } <"$n"
    [[ $call =~ $pattern ]] || continue
    [ "$status" = once ] && { rm "$n"; status=0; }
    if [ "$status" = 0 ]; then printf '%s\n' "$answer"; else printf '%s\n' "$answer" >&2; fi
    exit "$status"
done
exit 0
"""
OUTPUTS = {"Gateway": "https://api.llm.company.com", "Address": "lb.example.net", "Issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc",
           "Client": "4fe", "SignInUrl": "https://sign-in.example.net", "Files": "page-bucket", "Page": "E123"}
OWN = {"Domain": "llm.company.com", "AllowedRanges": "198.51.100.0/24", "AlarmMail": "ops@company.com"}
ACCOUNT = [(r"get-caller-identity", "123456789012", 0), (r"head-bucket", "", 0)]
OUT = [(rf"describe-stacks .*OutputKey=='{name}'", value, 0) for name, value in OUTPUTS.items()]
PROMISES = []


class Desk:
    """An operator's copy of the repository, with programs in front of the real ones."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "copy"
        self.stubs = pathlib.Path(folder) / "stubs"
        self.root.mkdir()
        for part in ("scripts", "cloudformation", "packer"):
            shutil.copytree(ROOT / part, self.root / part, ignore=shutil.ignore_patterns("__pycache__"))
        self.stubs.mkdir()
        for name in ("aws", "packer", "npm", "curl", "sleep", "rustup", "cargo-zigbuild"):
            (self.stubs / name).write_text(STUB)
            (self.stubs / name).chmod(0o755)
        self.parameters("small")

    def parameters(self, preset, **changes):
        pairs = json.loads((ROOT / f"cloudformation/parameters/{preset}.json").read_text())
        for pair in pairs:
            pair["ParameterValue"] = (OWN | changes).get(pair["ParameterKey"], pair["ParameterValue"])
        (self.root / "deployments").mkdir(exist_ok=True)
        (self.root / "deployments/main.json").write_text(json.dumps(pairs))

    def run(self, script, answers, **variables):
        shutil.rmtree(self.stubs / "answers", ignore_errors=True)
        (self.stubs / "answers").mkdir()
        for n, (pattern, answer, status) in enumerate(answers):
            (self.stubs / f"answers/{n:03}").write_text(f"{pattern}\n{status}\n{answer}")
        (self.stubs / "calls").write_text("")
        known = {"PATH": f"{self.stubs}:{os.environ['PATH']}", "STUBS": str(self.stubs), "ENV": "main", "AWS_REGION": "eu-west-1", "HOME": str(self.root)}
        done = subprocess.run([self.root / "scripts/deploy" / script], env=known | variables, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120)
        self.status, self.told = done.returncode, done.stdout + done.stderr
        self.calls = (self.stubs / "calls").read_text().splitlines()
        return self

    def refused(self, words):
        if self.status == 0:
            yield "it went through"
        if words not in self.told:
            yield f"it does not say: {words}; but: {self.told.strip()[-400:]}"

    def did(self, *patterns):
        """These calls, in this order."""
        if self.status:
            yield f"it failed: {self.told.strip()[-400:]}"
        at = 0
        for pattern in patterns:
            found = next((n for n, call in enumerate(self.calls[at:], at) if re.search(pattern, call)), None)
            if found is None:
                yield f"no such call (in this order): {pattern}"
            else:
                at = found + 1

    def never(self, pattern):
        yield from (f"it did: {call}" for call in self.calls if re.search(pattern, call))


def promise(check):
    PROMISES.append(check)
    return check


GOOD = [*ACCOUNT, (r"get-service-quota", "64.0", 0), (r"describe-certificate .*Status", "ISSUED", 0),
        (r"describe-certificate .*Alternative", "*.llm.company.com\tllm.company.com", 0), (r"get-parameter .*images/", "ami-1", 0), (r"describe-images", "available", 0)]
EDGE = {"EDGE_CERTIFICATE": "arn:aws:acm:us-east-1:123456789012:certificate/1"}


@promise
def preflight_is_content_with_an_account_that_has_everything(desk):
    yield from desk.run("preflight.sh", GOOD, **EDGE).did("get-caller-identity")
    yield from desk.never(r"put-|create-|delete-|update-|request-")
    yield from desk.run("preflight.sh", [(r"list-cost-allocation-tags", "Active", 0), *GOOD], **EDGE).did("ce list-cost-allocation-tags .*us-east-1")
    if "ok       cost allocation tag Fleet" not in desk.told:
        yield "it does not see that the cost allocation tag is active"


@promise
def preflight_says_how_to_switch_the_cost_tag_on_and_does_not_wait_for_it(desk):
    for answer in ((r"list-cost-allocation-tags", "Inactive", 0), (r"list-cost-allocation-tags", "AccessDenied", 254)):
        yield from desk.run("preflight.sh", [answer, *GOOD], **EDGE).did("list-cost-allocation-tags")
        if "later " not in desk.told or "update-cost-allocation-tags-status --region us-east-1" not in desk.told:
            yield f"it does not say how: {desk.told[-300:]}"


@promise
def preflight_says_what_is_missing_and_what_to_do(desk):
    for answer, words in (((r"get-service-quota", "0.0", 0), "request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 16"),
                          ((r"describe-certificate .*Status", "PENDING_VALIDATION", 0), "PENDING_VALIDATION"),
                          ((r"describe-certificate .*Alternative", "other.company.com", 0), "the one given is for other.company.com"),
                          ((r"get-parameter .*images/front", "not found", 254), "image of the front; make images"),
                          ((r"describe-images", "None", 0), "ami-1 is not there any more"),
                          ((r"get-caller-identity", "no credentials", 255), "aws configure")):
        yield from desk.run("preflight.sh", [answer, *GOOD], **EDGE).refused(words)
    yield from desk.run("preflight.sh", GOOD).refused("EDGE_CERTIFICATE")
    yield from desk.run("preflight.sh", [(r"get-parameter", "", 254), *GOOD], IMAGES="later", **EDGE).did("get-caller-identity")


@promise
def preflight_asks_for_the_quota_of_spot_where_spot_is_used(desk):
    desk.parameters("dev")
    yield from desk.run("preflight.sh", [(r"L-3819A6DF", "4.0", 0), *GOOD], **EDGE).refused("--quota-code L-3819A6DF --desired-value 8")


@promise
def the_presets_examples_are_nobodys_parameters(desk):
    shutil.rmtree(desk.root / "deployments")
    yield from desk.run("preflight.sh", GOOD, ENV="small", **EDGE).refused("your own Domain")
    yield from desk.run("preflight.sh", GOOD, ENV="nothing").refused("no parameters for ENV=nothing")


@promise
def a_pin_changes_the_base_and_nothing_else(desk):
    before = (desk.root / "packer/versions.pkrvars.hcl").read_text()
    desk.run("pin.sh", [(r"al2023-ami-kernel-6.1-x86_64", "ami-9", 0), (r"describe-images", "al2023-ami-2023.9.20261117.1-kernel-6.1-x86_64", 0)])
    yield from desk.did("get-parameter")
    after = (desk.root / "packer/versions.pkrvars.hcl").read_text()
    if after != re.sub(r'(?m)^base = ""', 'base = "2023.9.20261117.1"', before) or after == before:
        yield "it changed something else, or nothing"


def committed(desk):
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=desk.root, check=True)


@promise
def images_are_built_noted_and_the_first_ones_promoted(desk):
    versions = desk.root / "packer/versions.pkrvars.hcl"
    versions.write_text(versions.read_text().replace('base = ""', 'base = "2023.9.20261117.1"'))
    committed(desk)
    (desk.root / "ui").mkdir()
    (desk.root / ".tools/zig").mkdir(parents=True)
    shutil.copy(desk.root / "scripts/requirements-programs.txt", desk.root / ".tools/zig/installed")
    for machine in ("x86_64", "aarch64"):
        for program in ("gateway", "scaler", *(["bot"] if machine == "aarch64" else [])):
            built = desk.root / f"target/{machine}-unknown-linux-gnu/release/{program}"
            built.parent.mkdir(parents=True, exist_ok=True)
            built.touch()
    builds = {"builds": [{"name": name, "artifact_id": f"eu-west-1:ami-{name}"} for name in ("amazon-ebs.node", "front")]}
    (desk.stubs / "packer").write_text(STUB.replace("for n in", f"[ \"$1\" != build ] || echo '{json.dumps(builds)}' >target/images.json\nfor n in", 1))
    answers = [(r"get-parameter .*(node|front)/candidate", "ami-new", 0), (r"get-parameter .*", "", 254), (r"describe-images", "available", 0)]
    yield from desk.run("images.sh", answers, BUILDER_PROFILE="builder").did(
        r"zigbuild --locked --release --target x86_64-unknown-linux-gnu.2.34 -pgateway -pscaler --features", "aarch64-unknown-linux-gnu.2.34 -pgateway -pscaler -pbot --features", "npm run build", "packer init packer/plugins.pkr.hcl",
        r"packer build .*page=\S+/ui/dist .*builder_profile=builder", "put-parameter .*node/candidate --value ami-amazon-ebs.node", "put-parameter .*front/candidate --value ami-front",
        "put-parameter .*images/inputs", "put-parameter .*images/node --value ami-new")
    inputs = next(re.search(r"inputs --value (\w+)", call)[1] for call in desk.calls if "inputs --value" in call)
    yield from desk.run("images.sh", [(r"images/inputs", inputs, 0)], BUILDER_PROFILE="builder").did("images/inputs")
    yield from desk.never("packer build")
    (desk.root / "packer/images.pkr.hcl").write_text("# changed\n")
    yield from desk.run("images.sh", [(r"images/inputs", "others", 0)], BUILDER_PROFILE="builder").refused("not committed")


@promise
def images_are_not_built_without_a_pinned_base(desk):
    committed(desk)
    yield from desk.run("images.sh", [(r"get-parameter", "", 254)]).refused("scripts/deploy/pin.sh")
    yield from desk.never("packer build")


@promise
def a_promotion_keeps_the_image_before_and_goes_back_to_it(desk):
    notes = [(r"get-parameter .*images/(node|front)/candidate", "ami-2", 0), (r"get-parameter .*images/(node|front)/before", "ami-0", 0),
             (r"get-parameter .*images/(node|front) ", "ami-1", 0), (r"describe-images", "available", 0)]
    yield from desk.run("promote.sh", notes).did(r"put-parameter .*node/before --value ami-1", r"put-parameter .*images/node --value ami-2",
                                                 r"put-parameter .*front/before --value ami-1", r"put-parameter .*images/front --value ami-2")
    yield from desk.run("promote.sh", notes, BACK="1").did(r"put-parameter .*images/node --value ami-0")
    yield from desk.run("promote.sh", [(r"describe-images", "failed", 0), *notes]).refused("ami-2 of the node is not available")
    yield from desk.never("put-parameter")


@promise
def clean_up_spares_what_is_noted_and_asks_first(desk):
    images = [(r"get-parameters-by-path", "ami-7\tami-8", 0), (r"describe-images .*Values=node", "ami-7 snap-7\nami-6 snap-6,snap-66", 0)]
    yield from desk.run("clean-images.sh", images, YES="1").did("deregister-image --image-id ami-6", "delete-snapshot --snapshot-id snap-6$", "snap-66")
    yield from desk.never("ami-7|snap-7")
    yield from desk.run("clean-images.sh", images).did("describe-images")
    yield from desk.never("deregister|delete")


@promise
def a_new_fleet_is_made_after_its_changes_were_shown(desk):
    none = [(r"describe-stacks --stack-name main --query Stacks\[0\].StackStatus", "no stack", 254)]
    yield from desk.run("deploy.sh", [*ACCOUNT, *none, *OUT], YES="1").did(
        r"cloudformation package .*ollama-fleet.yaml", r"create-change-set .*--change-set-type CREATE .*--parameters file://deployments/main.json",
        "describe-change-set .*table", "execute-change-set", "wait stack-create-complete")
    if "asleep it costs about $65.51 a month" not in desk.told:
        yield "it does not say what it will cost"
    if "https://api.llm.company.com" not in desk.told:
        yield "it does not say which name to point where"


@promise
def nobody_to_ask_means_no_change(desk):
    yield from desk.run("deploy.sh", [*ACCOUNT, (r"StackStatus", "UPDATE_COMPLETE", 0), *OUT]).refused("YES=1")
    yield from desk.never("execute-change-set")


@promise
def a_second_deployment_changes_nothing(desk):
    same = [(r"StackStatus", "UPDATE_COMPLETE", 0), (r"wait change-set-create-complete", "failed", 255),
            (r"describe-change-set .*StatusReason", "The submitted information didn't contain changes.", 0)]
    yield from desk.run("deploy.sh", [*ACCOUNT, *same, *OUT], YES="1").did("change-set-type UPDATE", "delete-change-set")
    yield from desk.never("execute-change-set")


@promise
def a_stack_that_was_never_made_or_is_busy_is_left_alone(desk):
    for state, words in (("ROLLBACK_COMPLETE", "never made"), ("UPDATE_IN_PROGRESS", "wait for it")):
        yield from desk.run("deploy.sh", [*ACCOUNT, (r"StackStatus", state, 0)], YES="1").refused(words)
        yield from desk.never("change-set")


@promise
def what_cloudformation_refuses_is_said_in_its_words(desk):
    refused = [(r"StackStatus", "UPDATE_COMPLETE", 0), (r"wait change-set", "failed", 255), (r"describe-change-set .*StatusReason", "set Fronts to 1 or 2", 0)]
    yield from desk.run("deploy.sh", [*ACCOUNT, *refused], YES="1").refused("set Fronts to 1 or 2")


@promise
def the_page_gets_the_fleets_sign_in_and_only_where_it_is_public(desk):
    yield from desk.run("edge.sh", OUT, **EDGE).did(r"deploy --region us-east-1 --stack-name main-page .*SignInUrl=https://sign-in.example.net")
    desk.parameters("small", Reach="internal")
    yield from desk.run("edge.sh", OUT).did()
    yield from desk.never("cloudformation deploy")
    yield from desk.run("ui.sh", OUT).did()
    if "the fronts serve it at" not in desk.told:
        yield "nobody hears where the page is"
    yield from desk.never("npm")


@promise
def the_page_is_put_up_with_its_index_last(desk):
    (desk.root / "ui/dist").mkdir(parents=True)
    (desk.root / "ui/config.example.json").write_text('{"name": "Translate", "limits": {}}')
    yield from desk.run("ui.sh", OUT).did("npm run build", r"s3 sync .*--exclude index.html .*immutable", r"s3 cp .*config.json .*no-cache",
                                          r"s3 cp .*index.html .*no-cache", "create-invalidation --distribution-id E123")
    told = json.loads((desk.root / "ui/dist/config.json").read_text())
    for name, value in {"api": OUTPUTS["Gateway"], "issuer": OUTPUTS["Issuer"], "client_id": "4fe", "name": "Translate"}.items():
        if told.get(name) != value:
            yield f"config.json: {name} is {told.get(name)}"


@promise
def a_page_without_a_client_is_not_put_up(desk):
    (desk.root / "ui/dist").mkdir(parents=True)
    (desk.root / "ui/config.example.json").write_text("{}")
    yield from desk.run("ui.sh", [(r"OutputKey=='Client'", "", 0), *OUT]).refused("CLIENT names the page's client")
    yield from desk.never("s3 ")


@promise
def the_smoke_test_wants_a_refusal_a_wake_and_an_answer(desk):
    curl = [(r"curl .*api/tags", "401", 0), (r"curl .*api/chat", '{"message":{"content":"yes"},"done":false}\n{"done":true}', 0)]
    yield from desk.run("smoke.sh", [*curl, *OUT], TOKEN="ollm_1").did("healthz", "api/tags", "api/chat")
    if "ollm_1" in desk.told:
        yield "it prints the token"
    yield from desk.run("smoke.sh", [(r"api/tags", "200", 0), *OUT], TOKEN="a").refused("says 200, not 401")
    yield from desk.run("smoke.sh", [curl[0], (r"api/chat", '{"error":"broken"}', 0), *OUT], TOKEN="a").refused('{"error":"broken"}')
    yield from desk.run("smoke.sh", [(r"healthz", "", 7), *OUT], TOKEN="a").refused("does the name point to lb.example.net")


@promise
def an_administrator_is_made_once(desk):
    yield from desk.run("admin.sh", [(r"admin-get-user", "not found", 254), *OUT], EMAIL="ann@company.com").did(
        r"admin-create-user --user-pool-id eu-west-1_abc --username ann@company.com", r"admin-add-user-to-group .*ollama-admins")
    yield from desk.run("admin.sh", OUT, EMAIL="ann@company.com").did("admin-add-user-to-group")
    yield from desk.never("admin-create-user")
    yield from desk.run("admin.sh", OUT).refused("EMAIL: whom?")
    yield from desk.run("admin.sh", [(r"OutputKey=='Issuer'", "https://company.eu.auth0.com/", 0), *OUT], EMAIL="a@b.co").refused("group ollama-admins there")


@promise
def a_refresh_drains_and_replaces(desk):
    yield from desk.run("refresh.sh", OUT).did(r'start-instance-refresh --auto-scaling-group-name main-nodes .*"ScaleInProtectedInstances":"Refresh"', "main-fronts")
    yield from desk.run("refresh.sh", OUT, BACK="1").did("rollback-instance-refresh --auto-scaling-group-name main-nodes")


@promise
def the_end_of_a_fleet_is_in_order_and_meant(desk):
    yield from desk.run("destroy.sh", OUT).refused("NAME=main")
    yield from desk.never("delete|terminate|update-")
    lives = [(r"names main-nodes .*Instances\[\].InstanceId", "i-1", "once"), (r"length\(Instances\)", "1", 0), (r"describe-load-balancers", "arn:aws:lb", 0)]
    yield from desk.run("destroy.sh", [*lives, *OUT], NAME="main").did(
        r"update-auto-scaling-group --auto-scaling-group-name main-fronts --min-size 0", r"delete-warm-pool .*main-nodes",
        r"terminate-instance-in-auto-scaling-group --instance-id i-1 --should-decrement", r"modify-load-balancer-attributes .*deletion_protection.enabled,Value=false", r"delete-stack --stack-name main-page --region us-east-1",
        r"delete-stack --stack-name main$", "wait stack-delete-complete", "get-resources")
    yield from desk.never("delete-table|delete-bucket|delete-user-pool|s3 rb|deletion-protection")


@promise
def the_calculator_follows_changes_and_refuses_what_it_does_not_know(desk):
    def asked(*words):
        done = subprocess.run([desk.root / "scripts/costs.py", *words], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    for words, wanted in ((["small"], "**65.51**"), (["small", "Reach=internal"], "**58.21**"), (["prod", "Egress=endpoints"], "7 interface endpoints"),
                          (["small", "InstanceType=g6.xlarge"], "| 65.51 | 73.56 |"), (["dev"], "Spot, about")):
        status, told = asked(*words)
        if status or wanted not in told:
            yield f"{words}: no {wanted}"
    for words, wanted in ((["small", "Foo=1"], "no such parameter: Foo"), (["huge"], "no preset there")):
        status, told = asked(*words)
        if not status or wanted not in told:
            yield f"{words}: {told[-200:]}"


def main():
    good = True
    for check in PROMISES:
        with tempfile.TemporaryDirectory() as folder:
            faults = list(check(Desk(folder)))
        good &= not faults
        print(f"{'not ok' if faults else 'ok'} {check.__name__.replace('_', ' ')}")
        for fault in faults:
            print(f"  {fault}")
    sys.exit(not good)


main()
