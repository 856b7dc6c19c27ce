"""The real programs, as the machines of the deployment run them: front and scaler, and the fake whose instances are
nodes. Their configuration is what the deployed user data writes."""

import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import threading
import time
import tomllib

from deploy import KEYS, ROOT, free_port

PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
VPC, HERE = "10.0.0.0/16", "127.0.0.0/8"
CLIENT = "203.0.113.7"   # an address of the preset's AllowedRanges


def told(folder, script, jwks):
    """Runs a machine's user data: its files in `folder`, its node.env as a dictionary. Two lines are this machine's: peers
    and load balancer are on the loopback, and the pool's keys come from the emulator."""
    folder.mkdir(parents=True)
    tool = folder / "cloud-init"
    tool.write_text("#!/bin/sh\necho i-emulated\n")
    tool.chmod(0o755)
    subprocess.run(["bash", "-c", script.replace("/etc/ollama-fleet", str(folder))], check=True, env={"PATH": f"{folder}:/usr/bin:/bin"})
    gateway = folder / "gateway.toml"
    text = gateway.read_text()
    for old, new in ((f'"{VPC}"', f'"{HERE}"'), ('kind = "cognito"\n', f'kind = "cognito"\njwks_url = "{jwks}"\n')):
        if old not in text:
            raise AssertionError(f"the deployed gateway.toml has no {old!r}")
        text = text.replace(old, new)
    gateway.write_text(text)
    return dict(line.split("=", 1) for line in (folder / "node.env").read_text().splitlines())


class Fleet:
    """Front, scaler and fake, with MiniStack behind them."""

    def __init__(self, ministack, folder):
        self.ministack, self.folder, self.running = ministack, folder, {}
        kept = {name: value for name, value in os.environ.items() if not re.match(r"(?i)(AWS|OLLAMA|GATEWAY|SCALER|FLEET)_|.*_proxy$", name)}
        self.environment = kept | KEYS | {"AWS_ENDPOINT_URL": ministack.url, "GATEWAY__LISTEN__ADMIN": "127.0.0.1:0"}

    def start(self, name, program, *arguments, **more):
        log = open(self.folder / f"{name}.log", "w")
        self.running[name] = subprocess.Popen([PROGRAMS / program, *arguments], env=self.environment | more, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE if name == "aws" else log, stderr=log, text=True)
        return self.running[name]

    def start_fake(self, seed, node):
        """The fake of Auto Scaling and load balancing. Its nodes tell it when they serve and when they may go."""
        (self.folder / "seed.json").write_text(json.dumps(seed, indent=1))
        (self.folder / "node.toml").write_text((self.folder / "node/gateway.toml").read_text())
        hooks = {name: text for name, text in node.items() if name.startswith("GATEWAY__INSTANCE__")}
        fake = self.start("aws", "demo", "aws", "--seed", str(self.folder / "seed.json"), "--directory", str(self.folder), **hooks)
        line = fake.stdout.readline()
        if not line.startswith("listening "):
            raise AssertionError(f"the fake does not listen; see {self.folder}/aws.log")
        self.fake = line.split()[1]

    def start_front(self, environment):
        self.front = f"127.0.0.1:{free_port()}"
        own = {"AWS_EC2_METADATA_DISABLED": "true", "GATEWAY__INSTANCE__KIND": "none", "GATEWAY__LISTEN__ADDRESS": self.front, "GATEWAY__FLEET__ADDRESS": self.front}
        self.start("front", "gateway", "--config", str(self.folder / "front/gateway.toml"), **(environment | own))

    def start_scaler(self):
        """Growth by the metric: the leader's own call only wakes the fleet."""
        self.scaler = {"AWS_ENDPOINT_URL_AUTO_SCALING": self.fake, "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.fake, "AWS_EC2_METADATA_DISABLED": "true",
                       "SCALER__GROUP__DRIVE": "metrics"}
        self.start("scaler", "scaler", "--config", str(self.folder / "front/scaler.toml"), **self.scaler)

    def order(self, *words):
        """`scaler hold 2 --for 5m` and the like; what it says."""
        done = subprocess.run([PROGRAMS / "scaler", "--config", str(self.folder / "front/scaler.toml"), *words], env=self.environment | self.scaler,
                              capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise AssertionError(f"scaler {' '.join(words)}: {done.stderr}")
        return done.stdout

    def state(self):
        """How the fake is."""
        try:
            return json.loads((self.folder / "aws.json").read_text())
        except FileNotFoundError:
            return {"desired": 0, "weights": [0, 1], "misled": False, "instances": [], "calls": []}

    def tables(self, table):
        """Everything in the fleet's table, by its sort key."""
        items = self.ministack.client("dynamodb").scan(TableName=table)["Items"]
        return {(item["PK"]["S"], item["SK"]["S"]): item for item in items}

    def pass_metrics_on(self, fleet):
        """What CloudWatch does for the deployed alarm: each value of NodesShort, once, to the step policy."""
        threading.Thread(target=self._pass_on, args=(fleet,), daemon=True).start()

    def _pass_on(self, fleet):
        client, seen, fake = self.ministack.client("cloudwatch"), {}, self.running["aws"]
        while "aws" in self.running and fake.poll() is None:
            now = time.time()
            points = client.get_metric_statistics(Namespace="OllamaFleet", MetricName="NodesShort", Dimensions=[{"Name": "Fleet", "Value": fleet}],
                                                  StartTime=now - 60, EndTime=now + 60, Period=1, Statistics=["Maximum"])["Datapoints"]
            for point in sorted(points, key=lambda one: one["Timestamp"]):
                if point["Timestamp"] not in seen:
                    seen[point["Timestamp"]] = point["Maximum"]
                    print(f"metric NodesShort {point['Maximum']}", file=fake.stdin, flush=True)
            time.sleep(1)

    def end(self):
        """Ends everything: scaler and front by SIGTERM, the fake with its input. Returns who did not end well."""
        return [fault for fault in map(self.stop, ("scaler", "front", "aws")) if fault]

    def stop(self, name):
        """Ends one; what was wrong with its end."""
        process = self.running.pop(name, None)
        if process is None:
            return None
        process.stdin.close()
        if name != "aws":
            process.terminate()
        try:
            return f"{name} ended with {process.returncode}; see {self.folder}/{name}.log" if process.wait(60) else None
        except subprocess.TimeoutExpired:
            process.kill()
            return f"{name} did not end"


def call(address, method, path, token=None, body=None, client=CLIENT, patience=150):
    """Status, head and body of the answer to a request as `begin` makes it."""
    connection = begin(address, method, path, token, body, client, patience)
    try:
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()
    finally:
        connection.close()


def begin(address, method, path, token=None, body=None, client=CLIENT, patience=150):
    """A request as the load balancer passes it on, over TLS that it does not check, with the client's address. Closing the
    connection is the client's hanging up."""
    context = ssl._create_unverified_context()  # noqa: S323, as the load balancer
    connection = http.client.HTTPSConnection(address, timeout=patience, context=context)
    head = {"X-Forwarded-For": client, "X-Forwarded-Proto": "https"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request(method, path, body=json.dumps(body) if body else None, headers=head | ({"Content-Type": "application/json"} if body else {}))
    return connection


def config(folder):
    """scaler.toml, as the front was told."""
    return tomllib.loads((folder / "front/scaler.toml").read_text())
