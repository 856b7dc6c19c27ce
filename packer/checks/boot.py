"""The boot, run: the real scripts in the units' real order, on a pretended machine. Each check is a promise."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib

from machine import Machine
from tap import say

GATEWAY = '[fleet]\nname = "main"\n'
NODE = "FLEET=main\nAWS_REGION=eu-west-1\nMODELS_BUCKET=models\nROLE=node\nGROUP=main-nodes\nLAUNCH_HOOK=ready\n" \
       "LOG_GROUP=/ollama-fleet/main/nodes\nMODELS=tiny:1b\nADDRESS_ALLOCATION=\nCERTIFICATE_SECRET=\n"
FRONT = "FLEET=main\nAWS_REGION=eu-west-1\nARCHIVE_BUCKET=archive\nROLE=front\nGROUP=main-fronts\nLOG_GROUP=/ollama-fleet/main/fronts\n" \
        "SCALER_LOG_GROUP=/ollama-fleet/main/scaler\n"
STORE = "var/lib/ollama/models"
MANIFEST = "manifests/registry.ollama.ai/library/tiny/1b"
PROMISES = []


def promise(role="node", told=NODE, **files):
    def note(check):
        PROMISES.append((check, role, {"node.env": told, "gateway.toml": GATEWAY} | files))
        return check
    return note


def model(place, blob=b"weights"):
    """Puts a model as Ollama keeps it into a place; `blob` other than the weights makes it broken."""
    digest = hashlib.sha256(b"weights").hexdigest()
    (place / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
    (place / MANIFEST).write_text(json.dumps({"layers": [{"digest": f"sha256:{digest}"}]}))
    (place / "blobs").mkdir(exist_ok=True)
    (place / "blobs" / f"sha256-{digest}").write_bytes(blob)
    return f"blobs/sha256-{digest}"


def given_up(machine, because):
    """The machine gave itself up, once, and said why before."""
    calls = machine.calls("aws ")
    words = [n for n, call in enumerate(calls) if "put-log-events" in call]
    marks = [n for n, call in enumerate(calls) if "set-instance-health" in call and "Unhealthy" in call]
    if len(marks) != 1 or len(words) > 1:
        yield f"marked {len(marks)} times, told {len(words)} times"
    elif words and words[0] > marks[0]:
        yield "it was marked before its last words were sent"
    if because not in machine.log():
        yield f"the log does not say: {because}"
    if not (machine.root / "dev/console").exists():
        yield "the console says nothing"


def expect(got, wanted):
    yield from (f"{name} is {got.get(name)}, not {state}" for name, state in wanted.items() if got.get(name) != state)


@promise()
def a_node_takes_its_model_from_the_bucket_and_leaves_the_hook_to_the_gateway(machine):
    model(machine.root / "bucket")
    got = machine.boot()
    yield from expect(got, dict.fromkeys(("settle", "disk", "models", "warm", "gateway", "fill"), "done"))
    yield from expect(got, {"scaler": "skipped", "pool": "skipped"})
    order = list(got)
    if not order.index("disk") < order.index("models") < order.index("ollama") < order.index("warm") < order.index("gateway") < order.index("fill"):
        yield f"the order was {order}"
    if machine.calls("lifecycle-action"):
        yield "the group was told before the gateway serves"
    if machine.calls("set-instance-health") or machine.calls("ollama pull"):
        yield "it was marked unhealthy, or the model pulled"
    if "GATEWAY__FLEET__ADDRESS=10.0.0.7:8443" not in (machine.root / "run/ollama-fleet/boot.env").read_text():
        yield "peers are not told where it is"
    if f"GATEWAY__OLLAMA__GPU_MEMORY_BYTES={2 * 15360 << 20}\n" not in (machine.root / "run/ollama-fleet/boot.env").read_text():
        yield "the gateway does not know the GPUs' memory"
    agent = next((machine.root / "opt/aws").rglob("*.json")).read_text()
    if "@" in agent or "/ollama-fleet/main/nodes" not in agent:
        yield "the agent does not know where logs go to"


@promise()
def a_second_boot_changes_nothing(machine):
    model(machine.root / "bucket")
    machine.boot()
    first = sorted(path for path in machine.root.rglob("*") if STORE in str(path))
    machine.calls_file.unlink()
    shutil.rmtree(machine.root / "run/ollama-fleet")
    machine.write("no-hook", "")
    yield from expect(machine.boot(), dict.fromkeys(("settle", "disk", "models", "warm", "gateway"), "done"))
    if machine.calls("mkfs") or machine.calls("s3 cp"):
        yield "it formatted the disk or fetched the model again"
    if first != sorted(path for path in machine.root.rglob("*") if STORE in str(path)):
        yield "the models have changed"


@promise()
def the_copy_in_the_image_serves_where_the_bucket_does_not_answer(machine):
    machine.write("refuse", "s3 cp\n")
    blob = model(machine.root / "usr/share/ollama-fleet/models")
    yield from expect(machine.boot(), {"models": "done", "gateway": "done"})
    if not (machine.root / STORE / blob).exists() or "came from the image" not in machine.log():
        yield "it did not come from the image"


@promise()
def a_blob_that_is_not_what_its_name_says_never_reaches_ollama(machine):
    model(machine.root / "bucket", b"something else")
    blob = model(machine.root / "usr/share/ollama-fleet/models")
    yield from expect(machine.boot(), {"models": "done", "gateway": "done"})
    if (machine.root / STORE / blob).read_bytes() != b"weights":
        yield "the broken blob is in the store"
    if "is not what its name says" not in machine.log():
        yield "nobody hears of it"


@promise()
def a_model_that_is_nowhere_comes_from_the_registry_and_fills_the_bucket(machine):
    blob = model(machine.root / "registry/tiny:1b")
    yield from expect(machine.boot(), {"models": "done", "gateway": "done", "fill": "done"})
    if not (machine.root / "bucket" / blob).exists() or not (machine.root / "bucket" / MANIFEST).exists():
        yield "the bucket still lacks it"
    uploads = machine.calls("s3://models/")
    if uploads and "manifests" not in uploads[-1]:
        yield "the manifest was there before its blobs"


@promise()
def without_its_model_a_machine_gives_up_at_the_first_error(machine):
    got = machine.boot()
    yield from expect(got, dict.fromkeys(("models", "warm", "gateway"), "failed"))
    if machine.calls("api/generate"):
        yield "it went on after the error"
    yield from given_up(machine, "neither in the bucket models nor in the image")
    if "ollama-fleet-models.service failed" not in machine.log():
        yield "it names another unit than the one that failed"
    if not machine.calls("--lifecycle-hook-name ready --lifecycle-action-result ABANDON"):
        yield "the launch was not abandoned"
    if machine.calls("CONTINUE"):
        yield "the group was told to go on"


@promise()
def a_disk_that_cannot_be_formatted_stops_the_boot(machine):
    model(machine.root / "bucket")
    machine.program("mkfs.xfs", "exit 1")
    yield from expect(machine.boot(), dict.fromkeys(("disk", "models", "ollama", "warm", "gateway"), "failed"))
    yield from given_up(machine, "/dev/nvme1n1 cannot be formatted")


@promise(told=NODE.replace("tiny:1b", "tiny:1b,twin:1b"))
def what_two_models_share_is_fetched_once(machine):
    blob = model(machine.root / "bucket")
    twin = machine.root / "bucket" / MANIFEST.replace("tiny", "twin")
    twin.parent.mkdir(parents=True)
    shutil.copy(machine.root / "bucket" / MANIFEST, twin)
    yield from expect(machine.boot(), {"models": "done", "gateway": "done"})
    if len(machine.calls(f"s3://models/{blob}")) != 1:
        yield "it was fetched again"


@promise()
def a_model_beside_the_gpu_stops_the_boot(machine):
    model(machine.root / "bucket")
    machine.write("ps", '{"models":[{"name":"tiny","size_vram":0}]}')
    yield from expect(machine.boot(), {"warm": "failed", "gateway": "failed"})
    yield from given_up(machine, "a model runs without the GPU")


@promise()
def a_driver_that_does_not_answer_stops_the_boot(machine):
    model(machine.root / "bucket")
    machine.write("no-gpu", "")
    yield from expect(machine.boot(), {"warm": "failed", "gateway": "failed"})
    yield from given_up(machine, "the GPU's driver does not answer")


@promise()
def a_model_that_does_not_load_stops_the_boot(machine):
    model(machine.root / "bucket")
    machine.write("generate", '{"error":"model requires more system memory"}')
    yield from expect(machine.boot(), {"warm": "failed", "gateway": "failed"})
    yield from given_up(machine, "requires more system memory")


@promise()
def a_gateway_that_gives_up_takes_the_machine_with_it(machine):
    model(machine.root / "bucket")
    machine.boot()
    machine.run("fail.sh", "ollama-fleet-gateway.service")
    yield from given_up(machine, "ollama-fleet-gateway.service failed")
    if not machine.calls("--lifecycle-hook-name ready --lifecycle-action-result ABANDON"):
        yield "the launch was not abandoned"


@promise()
def a_gateway_that_has_drained_is_not_started_again(machine):
    unit = machine.units()["ollama-fleet-gateway.service"]
    if unit["Restart"] != ["on-failure"] or unit["Type"] != ["notify"]:
        yield f"Restart={unit['Restart']}, Type={unit['Type']}"
    if int(unit["TimeoutStopSec"][0]) <= 900:
        yield "systemd does not wait for the gateway's own deadline"


@promise(told="")
def without_user_data_a_machine_says_so_and_gives_up(machine):
    yield from expect(machine.boot(), {"settle": "failed", "gateway": "failed", "disk": "failed"})
    yield from given_up(machine, "user data did not write it")


@promise(told=NODE.replace("ROLE=node", "ROLE=front"))
def an_image_refuses_another_role(machine):
    yield from expect(machine.boot(), {"settle": "failed"})
    yield from given_up(machine, "this is an image for a node")


@promise()
def a_wrong_gateway_toml_is_told_in_its_own_words(machine):
    machine.write("bad-config", "")
    yield from expect(machine.boot(), {"settle": "failed"})
    yield from given_up(machine, "gateway.toml: listen.address: got x")


@promise()
def a_silent_metadata_service_stops_the_boot(machine):
    machine.write("imds.down", "")
    yield from expect(machine.boot(), {"settle": "failed", "gateway": "failed"})


@promise()
def a_start_into_the_warm_pool_reads_the_volume_and_serves_nobody(machine):
    machine.imds("autoscaling/target-lifecycle-state", "Warmed:Stopped")
    got = machine.boot()
    yield from expect(got, {"pool": "done"} | dict.fromkeys(("disk", "models", "ollama", "warm", "gateway", "scaler", "fill"), "skipped"))
    if not machine.calls("--lifecycle-hook-name ready --lifecycle-action-result CONTINUE") or not machine.calls("find "):
        yield "the volume was not read, or the group not told"


@promise()
def a_machine_out_of_the_pool_works(machine):
    model(machine.root / "bucket")
    machine.imds("autoscaling/target-lifecycle-state", "Warmed:Stopped")
    machine.boot()
    shutil.rmtree(machine.root / "run/ollama-fleet")
    (machine.root / "label").unlink(missing_ok=True)
    machine.imds("autoscaling/target-lifecycle-state", "InService")
    yield from expect(machine.boot(), {"pool": "skipped", "disk": "done", "models": "done", "gateway": "done"})


@promise()
def a_machine_without_nvme_or_group_works(machine):
    model(machine.root / "bucket")
    machine.write("lsblk", "/dev/nvme0n1 Amazon Elastic Block Store\n")
    (machine.root / "imds/autoscaling_target-lifecycle-state").unlink()
    machine.write("no-hook", "")
    yield from expect(machine.boot(), {"disk": "done", "models": "done", "gateway": "done"})
    if machine.calls("mkfs"):
        yield "it formatted something"


@promise(role="front", told=FRONT, **{"scaler.toml": ""})
def a_front_runs_gateway_and_scaler(machine):
    got = machine.boot()
    yield from expect(got, dict.fromkeys(("settle", "gateway", "scaler"), "done"))
    if machine.calls("lifecycle-action") or "models" in got:
        yield "it tells the group something, or has models"
    if "/ollama-fleet/main/scaler" not in next((machine.root / "opt/aws").rglob("*.json")).read_text():
        yield "the scaler's log goes elsewhere"


SECRET = json.dumps({"token": "123:abc", "key": "ollm_1"})
SETTINGS, KNOWN = "etc/ollama-fleet/bot.toml", "var/lib/ollama-fleet-bot/state.json"


def known(machine):
    """What the bot knows on this machine; nothing: no file."""
    return (machine.root / KNOWN).read_text() if (machine.root / KNOWN).exists() else ""


@promise(role="front", told=FRONT, **{"scaler.toml": ""})
def without_its_secret_a_front_has_no_bot(machine):
    yield from expect(machine.boot(), {"gateway": "done", "bot-turn": "done", "bot": "skipped"})
    if machine.calls("ollama-fleet-bot.service") or (machine.root / SETTINGS).exists():
        yield "something of a bot was started or written"
    if machine.calls("set-instance-health"):
        yield "it gave itself up"


@promise(role="front", told=FRONT)
def the_secret_alone_makes_a_bot_that_talks_to_the_gateway_beside_it(machine):
    machine.write("secret", SECRET)
    machine.write("archive/bot/state.json", '{"people": 7}')
    yield from expect(machine.boot(), {"gateway": "done", "bot-turn": "done", "bot": "done"})
    told = tomllib.loads((machine.root / SETTINGS).read_text())
    gateway = {"url": "https://10.0.0.7:8443", "ca_file": f"{machine.root}/run/ollama-fleet/tls/certificate.pem", "key": "ollm_1"}
    if told != {"token": "123:abc", "state": f"{machine.root}/{KNOWN}", "gateway": gateway}:
        yield f"it was told {told}"
    if (machine.root / SETTINGS).stat().st_mode & 0o077 != 0o040:
        yield "others can read its settings"
    if known(machine) != '{"people": 7}':
        yield "it does not know whom it knew on another front"
    if "123:abc" in machine.log() or "ollm_1" in machine.log() or "123:abc" in (machine.root / "calls").read_text():
        yield "its secrets are in a log or on a command line"


@promise(role="front", told=FRONT)
def a_front_has_a_certificate_of_its_own_address_that_is_no_authority(machine):
    machine.boot()
    folder = machine.root / "run/ollama-fleet/tls"
    read = subprocess.run(["openssl", "x509", "-in", folder / "certificate.pem", "-noout", "-ext", "subjectAltName,basicConstraints"],
                          capture_output=True, text=True, check=True).stdout
    if "IP Address:10.0.0.7" not in read or "CA:FALSE" not in read:
        yield f"it says {read}"
    if (folder / "private_key.pem").stat().st_mode & 0o777 != 0o640:
        yield "everybody can read its key"
    told = (machine.root / "run/ollama-fleet/boot.env").read_text()
    yield from (f"the gateway is not told of {name}" for name in ("certificate", "private_key")
                if f"GATEWAY__TLS__{name.upper()}={folder}/{name}.pem\n" not in told)


@promise(role="front", told=FRONT)
def of_two_fronts_one_runs_the_bot(machine):
    machine.write("secret", SECRET)
    machine.boot()
    machine.write("first", "i-0\n")
    machine.run("bot-turn.sh")
    if (machine.root / SETTINGS).exists() or (machine.root / "bot-runs").exists():
        yield "it still runs where it is not the first"
    machine.write("first", "i-1\n")
    machine.write("archive/bot/state.json", '{"people": 8}')
    machine.run("bot-turn.sh")
    if not (machine.root / "bot-runs").exists() or known(machine) != '{"people": 8}':
        yield "it did not come back with what the other front has learnt"


@promise(role="front", told=FRONT)
def what_cannot_be_known_leaves_the_bot_as_it_is(machine):
    machine.write("secret", SECRET)
    machine.boot()
    for refused in ("describe-auto-scaling-groups", "secretsmanager"):
        machine.write("refuse", refused + "\n")
        if not machine.run("bot-turn.sh") or not (machine.root / SETTINGS).exists() or not (machine.root / "bot-runs").exists():
            yield f"it ended, because AWS did not answer to {refused}"
    (machine.root / "refuse").unlink()
    machine.write("secret", "the token")
    machine.run("bot-turn.sh")
    if not machine.run("bot-turn.sh") or not (machine.root / "bot-runs").exists() or "the secret must be" not in machine.log():
        yield "a secret of another form ended it, or nobody hears of it"
    if machine.log().count("the secret must be") != 1:
        yield "it says the same every five minutes"
    machine.write("secret", SECRET.replace("abc", "new"))
    machine.write("bad-bot", "")
    if not machine.run("bot-turn.sh") or "123:abc" not in (machine.root / SETTINGS).read_text() or "does not take its settings" not in machine.log():
        yield "settings that the bot refuses took the place of good ones, or nobody hears of it"
    (machine.root / "secret").unlink()
    machine.run("bot-turn.sh")
    if (machine.root / SETTINGS).exists() or (machine.root / "bot-runs").exists():
        yield "without its secret it runs on"


@promise(role="front", told=FRONT)
def a_bot_never_starts_without_what_it_knew(machine):
    machine.write("secret", SECRET)
    machine.write("refuse", "s3api get-object\n")
    yield from expect(machine.boot(), {"gateway": "done", "bot-turn": "done", "bot": "skipped"})
    if (machine.root / "bot-runs").exists() or "what the bot knew cannot be fetched" not in machine.log():
        yield "it started, or nobody hears why not"


@promise(role="front", told=FRONT)
def what_the_bot_knows_is_copied_when_it_has_changed(machine):
    machine.write("secret", SECRET)
    machine.boot()
    machine.write(KNOWN, '{"people": 1}')
    for _ in range(2):
        machine.run("bot-keep.sh")
    if (machine.root / "archive/bot/state.json").read_text() != '{"people": 1}' or len(machine.calls("s3 cp")) != 1:
        yield f"it was copied {len(machine.calls('s3 cp'))} times"


SINGLE = NODE.replace("ADDRESS_ALLOCATION=", "ADDRESS_ALLOCATION=eipalloc-1").replace("CERTIFICATE_SECRET=", "CERTIFICATE_SECRET=arn:secret")


@promise(told=SINGLE, **{"scaler.toml": "", "gateway.toml": GATEWAY + '[listen]\naddress = "0.0.0.0:443"\n'
         '[tls]\ncertificate = "/etc/ollama-fleet/tls/certificate.pem"\nprivate_key = "/etc/ollama-fleet/tls/private_key.pem"\n'})
def a_single_node_takes_its_address_and_certificate(machine):
    model(machine.root / "bucket")
    machine.write("secret", json.dumps({"certificate": "CERT\n", "private_key": "KEY"}))
    yield from expect(machine.boot(), dict.fromkeys(("settle", "gateway", "scaler"), "done"))
    if not machine.calls("associate-address --allocation-id eipalloc-1 --instance-id i-1"):
        yield "it did not take its address"
    tls = machine.root / "etc/ollama-fleet/tls"
    if (tls / "certificate.pem").read_text() != "CERT\n" or (tls / "private_key.pem").read_text() != "KEY\n":
        yield "the certificate is not what the secret holds"
    if "GATEWAY__FLEET__ADDRESS=10.0.0.7:443" not in (machine.root / "run/ollama-fleet/boot.env").read_text():
        yield "peers are told another port"


@promise(told=SINGLE)
def a_secret_of_another_form_is_refused(machine):
    machine.write("secret", "-----BEGIN CERTIFICATE-----")
    yield from expect(machine.boot(), {"settle": "failed"})
    yield from given_up(machine, "the secret has no certificate")


@promise()
def an_old_image_is_told(machine):
    machine.boot()
    machine.write("usr/share/ollama-fleet/built", "0")
    if not machine.run("age.sh") or not machine.calls("--namespace OllamaFleet --metric-name ImageAgeDays --dimensions Fleet=main --value 2"):
        yield f"it was not: {machine.calls('put-metric-data')}"


def main():
    good = True
    for check, role, told in PROMISES:
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(folder, role, told)
            faults = list(check(machine))
            good &= say(check.__name__.replace("_", " "), [*faults, *(machine.log().splitlines() if faults else [])])
    sys.exit(not good)


with contextlib.suppress(BrokenPipeError):
    main()
