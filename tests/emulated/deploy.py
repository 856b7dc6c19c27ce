"""The nested set on MiniStack: packaged, stripped, created; and what the deployment is asked afterwards."""

import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "cloudformation/checks"))
from template import HERE, PARENT, read  # noqa: E402
from strip import needless, taken  # noqa: E402

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_REGION": REGION}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class MiniStack:
    """An emulator of our own, so that nothing of another test is in it."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), "MINISTACK_ACCOUNT_ID": "123456789012"}
        with open(folder / "ministack.log", "w") as log:
            self.process = subprocess.Popen([ROOT / ".tools/emulators/python/bin/ministack"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(300):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"MiniStack does not listen; see {folder}/ministack.log")

    def client(self, service):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="emulated", aws_secret_access_key="emulated", config=config)


class Refused(Exception):
    """CloudFormation did not make the stack; its words."""


class Deployment:
    """The nested set under one name."""

    def __init__(self, ministack, name):
        self.ministack, self.name = ministack, name
        self.stacks = {}

    def create(self, preset, say, **changes):
        """Creates it with the values of a preset; `say` gets a line for each thing that was stripped."""
        client = self.ministack.client("cloudformation")
        parameters = [pair | {"ParameterValue": changes.get(pair["ParameterKey"], pair["ParameterValue"])}
                      for pair in json.loads((HERE / f"parameters/{preset}.json").read_text())]
        try:
            client.create_stack(StackName=self.name, TemplateBody=json.dumps(self._package(say)), Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
        except client.exceptions.ClientError as refused:
            raise Refused(refused.response["Error"]["Message"]) from None
        for _ in range(240):
            stack = client.describe_stacks(StackName=self.name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(0.25)
        mine = [one for one in client.describe_stacks()["Stacks"] if one["StackName"].split("-")[0] == self.name]
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = [event for one in mine for event in client.describe_stack_events(StackName=one["StackName"])["StackEvents"]]
            raise Refused("; ".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in events if "FAILED" in event["ResourceStatus"]))
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        self.stacks = {one["StackName"].split("-")[1]: one for one in mine if "-" in one["StackName"]}

    def _package(self, say):
        """As `aws cloudformation package` does: children into a bucket, their addresses into the parent."""
        bucket = self.ministack.client("s3")
        bucket.create_bucket(Bucket="templates")
        images = self.ministack.client("ssm")
        for number, image in enumerate(("node", "front", "nat")):
            images.put_parameter(Name=f"/ollama-fleet/images/{image}", Value=f"ami-{number:017x}", Type="String", Overwrite=True)
        parent, told = taken(PARENT.name, read(PARENT))
        for resource in parent["Resources"].values():
            name = resource["Properties"]["TemplateURL"]
            child, lines = taken(name, read(HERE / name))
            told += lines
            bucket.put_object(Bucket="templates", Key=f"{name}.json", Body=json.dumps(child))
            resource["Properties"]["TemplateURL"] = f"{self.ministack.url}/templates/{name}.json"
        for line in told:
            say(line)
        if needless():
            raise Refused("; ".join(needless()))
        return parent

    def ignored(self):
        """What MiniStack took of the templates without a word, and does not have: nothing here is proved of it."""
        table, scaling = self.ministack.client("dynamodb"), self.ministack.client("autoscaling")
        rules = self.ministack.client("elbv2").describe_rules(RuleArns=[self.outputs_of("Entrance")["ScalerSection"].split('"')[1]])["Rules"]
        looks = {
            "the table's time to live": table.describe_time_to_live(TableName=self.outputs["Table"])["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED",
            "the table's point-in-time recovery": table.describe_continuous_backups(TableName=self.outputs["Table"])["ContinuousBackupsDescription"]
                .get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED",
            "the group's lifecycle hooks": bool(scaling.describe_lifecycle_hooks(AutoScalingGroupName=self.outputs["Group"])["LifecycleHooks"]),
            "the group's target group": bool(scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.outputs["Group"]])["AutoScalingGroups"][0].get("TargetGroupARNs")),
            "the rule's weights": "ForwardConfig" in rules[0]["Actions"][0],
        }
        return [what for what, there in looks.items() if not there]

    def outputs_of(self, stack):
        return {one["OutputKey"]: one["OutputValue"] for one in self.stacks[stack]["Outputs"]}

    def user_data(self, which):
        """The script that a machine of this launch template runs first."""
        versions = self.ministack.client("ec2").describe_launch_template_versions(LaunchTemplateName=f"{self.name}-{which}")
        return base64.b64decode(versions["LaunchTemplateVersions"][-1]["LaunchTemplateData"]["UserData"]).decode()

    def seed(self, entrance):
        """What the fake of Auto Scaling and load balancing is to be: the deployed group, policy, rule and target group."""
        scaling, metrics = self.ministack.client("autoscaling"), self.ministack.client("cloudwatch")
        group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.outputs["Group"]])["AutoScalingGroups"][0]
        alarm = next(one for one in metrics.describe_alarms()["MetricAlarms"] if one["MetricName"] == "NodesShort" and one["Dimensions"] == [{"Name": "Fleet", "Value": self.name}])
        policy = next(one for one in scaling.describe_policies()["ScalingPolicies"] if one["PolicyARN"] in alarm["AlarmActions"])
        targets = self.ministack.client("elbv2").describe_target_groups(TargetGroupArns=[entrance["gpu_target_group"]])["TargetGroups"][0]
        return {
            "group": group["AutoScalingGroupName"], "min": group["MinSize"], "max": group["MaxSize"],
            "protect": group["NewInstancesProtectedFromScaleIn"],
            "launch_hook": self._hook("LAUNCHING"), "terminate_hook": self._hook("TERMINATING"),
            "warm_pool": int(self._parameter("Fleet", "WarmNodes")) or None,
            "policies": [{"metric": alarm["MetricName"], "steps": [
                [alarm["Threshold"] + step["MetricIntervalLowerBound"], step["ScalingAdjustment"]] for step in policy["StepAdjustments"]]}],
            "rule": entrance["rule"], "node_group": entrance["gpu_target_group"], "front_group": entrance["front_target_group"],
            "health": {"path": targets["HealthCheckPath"], "interval": targets["HealthCheckIntervalSeconds"], "timeout": targets["HealthCheckTimeoutSeconds"],
                       "healthy": targets["HealthyThresholdCount"], "unhealthy": targets["UnhealthyThresholdCount"]},
        }

    def _hook(self, transition):
        """MiniStack drops a group's hooks; the template that was deployed still has them."""
        body = self.ministack.client("cloudformation").get_template(StackName=self.stacks["Fleet"]["StackName"])["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else body
        hooks = template["Resources"]["Group"]["Properties"]["LifecycleHookSpecificationList"]
        hook = next(one for one in hooks if one["LifecycleTransition"].endswith(transition))
        return {"name": hook["LifecycleHookName"], "heartbeat": hook["HeartbeatTimeout"], "default": hook["DefaultResult"]}

    def _parameter(self, stack, name):
        return next(one["ParameterValue"] for one in self.stacks[stack]["Parameters"] if one["ParameterKey"] == name)
