"""From the templates to an answer, without an account: the nested set is deployed on MiniStack, the real gateway and
scaler run on what that made, and a fleet that sleeps answers, grows, and sleeps again. Prints TAP."""

import json
import pathlib
import re
import shutil
import signal
import sys
import time

import people
from deploy import ROOT, Deployment, MiniStack, Refused
from fleet import Fleet, begin, call, config, told

FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target/emulated"
MODEL, PERSON = "gemma3n:e4b", "ada@example.com"
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], "options": {"num_predict": 24}}
BEGAN = time.monotonic()
faults = []


def promise(sentence, kept, detail=""):
    """One line of the report. What a step needs of the one before it ends the run."""
    print(f"{'ok' if kept else 'not ok'} - {sentence}", flush=True)
    note(f"after {time.monotonic() - BEGAN:.0f} s")
    if not kept:
        faults.append(sentence)
        for line in str(detail).splitlines()[:40]:
            note(line)
    return kept


def note(line):
    print(f"# {line}", flush=True)


def within(seconds, look):
    """What `look` says once it says anything, within so many seconds; else the last it said."""
    until = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < until:
        time.sleep(0.25)
    return seen


def refused(ministack, **changes):
    """The words with which a deployment with these values is refused."""
    try:
        Deployment(ministack, "refused").create("small", lambda _: None, **changes)
    except Refused as words:
        return str(words)
    return "nothing"


def deploy(ministack):
    deployment = Deployment(ministack, "emulated")
    try:
        deployment.create("small", lambda line: note(f"stripped: {line}"))
    except Refused as why:
        promise("the nested set deploys on MiniStack", False, why)
        sys.exit(1)
    promise("the nested set deploys on MiniStack", len(deployment.stacks) == 12, sorted(deployment.stacks))
    note(f"taken without a word and not there: {', '.join(deployment.ignored())}")
    for changes, sentence in (({"AllowedRanges": "0.0.0.0/0"}, "must be up to eight IPv4 ranges"), ({"Fronts": "0"}, "without a front nobody wakes a sleeping fleet"),
                              ({"Egress": "none"}, "nodes in private subnets must reach AWS")):
        words = refused(ministack, **changes)
        promise(f"with {json.dumps(changes)} it is refused by a sentence", sentence in words, words)
    for preset, stacks in (("single", 7), ("dev", 12), ("prod", 12)):
        other = Deployment(ministack, preset)
        try:
            other.create(preset, lambda _: None)
            why = sorted(other.stacks)
        except Refused as words:
            why = words
        promise(f"so does the preset {preset}", len(other.stacks) == stacks, why)
    page(ministack)
    return deployment


def page(ministack):
    """An internal fleet, whose fronts serve the page."""
    internal = Deployment(ministack, "internal")
    try:
        internal.create("small", lambda _: None, Reach="internal")
        said = internal.user_data("fronts")
        wanted = ("[ui]", f'"client_id": "{internal.outputs["Client"]}"', f'"logout_url": "{internal.outputs["SignInUrl"]}/logout?')
        missing = [words for words in wanted if words not in said]
    except Refused as words:
        missing = words
    promise("with Reach=internal fronts are told of the page, the pool's client and its sign-in", missing == [], missing)


def token(ministack, deployment):
    """A person's access token, from the deployed pool by the deployed client."""
    people.make(ministack, deployment.outputs["Issuer"].rsplit("/", 1)[1], PERSON)
    return people.sign_in(ministack, deployment.outputs["Client"], "https://translate.example.com/", PERSON)


def start(ministack, deployment, fleet):
    jwks = f"{ministack.url}/{deployment.outputs['Issuer'].rsplit('/', 1)[1]}/.well-known/jwks.json"
    node = told(FOLDER / "node", deployment.user_data("nodes"), jwks)
    front = told(FOLDER / "front", deployment.user_data("fronts"), jwks)
    scaler = config(FOLDER)
    promise("machines are told of the table and the rule that the deployment made",
            scaler["store"]["table"] == deployment.outputs["Table"] and ":listener-rule/app/emulated/" in scaler["entrance"]["rule"], scaler)
    seed = deployment.seed(scaler["entrance"])
    note(f"seed of the fake: {json.dumps(seed)}")
    fleet.start_fake(seed, node)
    fleet.start_front(front)
    fleet.start_scaler()
    fleet.pass_metrics_on(deployment.name)
    if not promise("the front is ready", within(60, lambda: up(fleet)), log("front")):
        sys.exit(1)


def up(fleet):
    try:
        return call(fleet.front, "GET", "/readyz", patience=5)[0] == 200
    except OSError:
        return False


def log(name):
    return "\n".join((FOLDER / f"{name}.log").read_text().splitlines()[-12:])


def ask(address, bearer, **more):
    return call(address, "POST", "/api/chat", bearer, QUESTION, **more)


def doors(fleet, bearer):
    """Before anything is awake: who is let in."""
    promise("without a token the answer is 401", ask(fleet.front, None)[0] == 401)
    head, payload, signature = bearer.split(".")
    forged = f"{head}.{payload}.{signature[:-8]}AAAAAAAA"
    promise("a token whose signature is another one's is 401", ask(fleet.front, forged)[0] == 401)
    promise("from outside the allowed ranges the answer is 403", ask(fleet.front, bearer, client="198.51.100.9")[0] == 403)
    promise("none of them woke the fleet", fleet.state()["calls"] == [], fleet.state()["calls"])


def wake(fleet, bearer):
    """A request of a person of the pool, while there is no node."""
    asleep = fleet.state()
    began = time.monotonic()
    status, head, body = ask(fleet.front, bearer)
    took = time.monotonic() - began
    lines = [json.loads(line) for line in body.splitlines() if line.strip()] if status == 200 else []
    words = "".join(line.get("message", {}).get("content", "") for line in lines)
    answered = status == 200 and lines and lines[-1].get("done") is True and words.strip()
    if not promise("from zero to an answer: a request with the pool's token is held, wakes the fleet, and is answered",
                   asleep["instances"] == [] and answered, f"{status} {head} {body[-300:]}\n{log('scaler')}"):
        raise SystemExit(1)
    note(f"zero to answer in {took:.1f} s")
    served = within(30, lambda: completed(fleet, "ready"))
    calls = fleet.state()["calls"]
    promise("the scaler asked for one node, and the node itself completed its launch hook", "SetDesiredCapacity 1" in calls and served, calls)


def completed(fleet, hook):
    """The instances that said themselves that this hook may let them go on."""
    calls = [one.split() for one in fleet.state()["calls"]]
    return {words[1] for words in calls if words[0] == "CompleteLifecycleAction" and words[2:] == [hook, "CONTINUE"]}


def remembered(fleet, deployment):
    items = fleet.tables(deployment.outputs["Table"])
    own = {sort for key, sort in items if key == f"FLEET#{deployment.name}"}
    nodes = [sort for sort in own if sort.startswith("NODE#i-0")]
    promise("the deployed table holds the reports of front and node, the lease and the state",
            {"NODE#i-emulated", "LEASE#scaler", "STATE"} <= own and nodes, sorted(items))
    used = within(30, lambda: [key for key in fleet.tables(deployment.outputs["Table"]) if key[0].startswith("USER#") and key[1].startswith("USAGE#")])
    promise("and what the person used", used, sorted(items))


def converse(ministack, deployment, fleet, bearer):
    """A conversation, from its first words into the deployed archive, back, and gone."""
    def ask_of(method, path, body=None):
        status, _, said = call(fleet.front, method, path, bearer, body)
        return status, said

    status, said = ask_of("POST", "/conversations", {"model": MODEL, "title": "Greetings"})
    if not promise("a person begins a conversation", status == 201, f"{status} {said}"):
        return
    own = json.loads(said)["id"]
    status, said = ask_of("POST", f"/conversations/{own}/messages", {"content": "Say hello."})
    promise("and is answered, in a stream that ends with what was stored", status == 200 and "event: message" in said and "event: error" not in said,
            f"{status} {said[-400:]}\n{log('front')}")
    status, said = ask_of("PATCH", f"/conversations/{own}", {"closed": True})
    store, bucket = ministack.client("s3"), deployment.outputs["Archive"]

    def objects():
        return [one["Key"] for one in store.list_objects_v2(Bucket=bucket).get("Contents", []) if own in one["Key"]]

    there = within(60, lambda: len(objects()) == 2)
    kept = all(re.fullmatch(rf"conversations/[^/]+/model_gemma3n%3Ae4b/session_{own}\.(json|txt)", key) for key in objects())
    promise("closed, it lies in the deployed archive where machines may write, to read by programs and by people", status == 200 and there and kept,
            f"{status} {said} {objects()}\n{log('front')}")
    status, said = ask_of("GET", f"/conversations/{own}")
    words = [one["content"] for one in json.loads(said).get("messages", [])] if status == 200 else []
    promise("and is viewed as before", words[:1] == ["Say hello."] and len(words) == 2 and words[1].strip(), f"{status} {said[:400]}")
    status, said = ask_of("DELETE", f"/conversations/{own}")
    left = [sort for _, sort in fleet.tables(deployment.outputs["Table"]) if own in sort]
    promise("deleted, it is in neither archive nor table", status == 204 and within(30, lambda: objects() == []) and left == [], f"{status} {said} {objects()} {left}")


def grow(fleet, bearer):
    """An operator wants two: the metric drives the group, and the weights go to the nodes once two are healthy."""
    fleet.order("hold", "2", "--for", "5m")
    on = within(240, lambda: fleet.state()["weights"][0] > 0)
    state = fleet.state()
    ready = [one for one in state["instances"] if one["target"] == "healthy"]
    promise("NodesShort in CloudWatch and the deployed steps bring a second node, and the rule then leads to the nodes",
            on and len(ready) >= 2, f"{json.dumps(state)}\n{log('scaler')}")
    asked = [one for one in state["calls"] if one.startswith("SetDesiredCapacity")]
    promise("the scaler itself asked for no more than the first", set(asked) == {"SetDesiredCapacity 1"}, asked)
    if ready:
        status, head, body = ask(ready[-1]["address"], bearer)
        promise("a node that the rule leads to answers by itself", status == 200 and head.get("x-served-by") == ready[-1]["id"], f"{status} {head} {body[-300:]}")


def measured(ministack, deployment):
    """What the deployed alarms and dashboard will find."""
    client = ministack.client("cloudwatch")
    dimension = [{"Name": "Fleet", "Value": deployment.name}]

    def most(name, statistic="Maximum"):
        points = client.get_metric_statistics(Namespace="OllamaFleet", MetricName=name, Dimensions=dimension, StartTime=time.time() - 600,
                                              EndTime=time.time() + 60, Period=600, Statistics=[statistic])["Datapoints"]
        return max((point[statistic] for point in points), default=None)

    names = {one["MetricName"] for one in client.list_metrics(Namespace="OllamaFleet", Dimensions=dimension)["Metrics"]}
    alarmed = {one["MetricName"] for one in client.describe_alarms()["MetricAlarms"] if one["Dimensions"] == dimension and one["MetricName"] != "ImageAgeDays"}   # that one is the images' own
    promise("every metric of the fleet that a deployed alarm watches is published", alarmed and alarmed <= names, f"missing: {alarmed - names} of {alarmed}")
    seen = {name: most(name) for name in ("NodesShort", "ReadyNodes", "ScalerHeartbeat")} | {"RequestSeconds": most("RequestSeconds", "SampleCount")}
    note(f"largest values: {seen}")
    promise("and says what happened: a node was short, two were ready, requests were timed",
            all(seen.values()) and seen["ReadyNodes"] >= 2, seen)


def sleep(fleet, deployment):
    """By an operator's word: how long a surplus node is held without one is the simulations' to show."""
    fleet.order("sleep")
    gone = within(150, lambda: fleet.state()["instances"] == [] and fleet.state()["desired"] == 0)
    state = fleet.state()
    asleep = within(30, lambda: "asleep" in str(fleet.tables(deployment.outputs["Table"])[(f"FLEET#{deployment.name}", "STATE")]))
    promise("told to sleep, it goes back to zero", gone and asleep, f"{json.dumps(state)}\n{log('scaler')}")
    ended = {one.split()[1] for one in state["calls"] if one.startswith("TerminateInstance")}
    drained = completed(fleet, "drain")
    promise("every node was ended by name, after it had drained and said so", len(ended) >= 2 and ended == drained, state["calls"])
    promise("the weights lead to the front again, and never led to a group without targets", state["weights"][0] == 0 and not state["misled"], state)


def alone(ministack, deployment, fleet, bearer):
    """Without a scaler: what the policies that grow the group slowly live by."""
    fleet.stop("scaler")
    since = time.time()
    held = begin(fleet.front, "POST", "/api/chat", bearer, QUESTION)
    client = ministack.client("cloudwatch")
    dimension = [{"Name": "Fleet", "Value": deployment.name}]
    depth = within(150, lambda: any(point["Maximum"] >= 1 for point in client.get_metric_statistics(
        Namespace="OllamaFleet", MetricName="QueueDepth", Dimensions=dimension, StartTime=since, EndTime=time.time() + 60, Period=10, Statistics=["Maximum"])["Datapoints"]))
    promise("when the scaler is gone, the front itself publishes how many wait", depth, log("front"))
    held.close()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ministack = MiniStack(FOLDER)
    fleet = Fleet(ministack, FOLDER)
    try:
        deployment = deploy(ministack)
        bearer = token(ministack, deployment)
        promise("a person of the deployed pool signs in by code and PKCE", bearer.count(".") == 2)
        start(ministack, deployment, fleet)
        doors(fleet, bearer)
        wake(fleet, bearer)
        remembered(fleet, deployment)
        converse(ministack, deployment, fleet, bearer)
        grow(fleet, bearer)
        measured(ministack, deployment)
        sleep(fleet, deployment)
        alone(ministack, deployment, fleet, bearer)
    finally:
        bad = fleet.end()
        ministack.process.terminate()
        promise("everything ends when it is told to", not bad, bad)
    sys.exit(bool(faults))


main()
