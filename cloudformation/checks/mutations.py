"""Each security fault, put alone into a copy of a template, must be found by the rule that is there for it."""

import pathlib
import subprocess
import sys
import tempfile

from template import HERE, say

GUARD = HERE.parent / ".tools/guard/bin/cfn-guard"

# Template, the rule that must fail (file/name), what is there, what is put in its place (first occurrence).
FAULTS = [
    ("access", "reach/nobody_comes_from_everywhere", "SourcePrefixListId: !Ref Allowed", "CidrIp: 0.0.0.0/0"),
    ("access", "reach/nobody_comes_from_everywhere", "!If [Direct, [{ IpProtocol: tcp, FromPort: 443, ToPort: 443, SourcePrefixListId: !Ref Allowed", "!If [Direct, [{ IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0"),
    ("access", "reach/nobody_comes_from_everywhere", "SourcePrefixListId: !Ref Allowed", "CidrIpv6: '::/0'"),
    ("access", "reach/openings_name_a_group", "SourceSecurityGroupId: !GetAtt LoadBalancerDoor.GroupId", "CidrIp: 10.0.0.0/8"),
    ("access", "reach/openings_name_a_group", "IpProtocol: tcp, FromPort: 8443, ToPort: 8443, SourceSecurityGroupId", "IpProtocol: tcp, FromPort: 22, ToPort: 8443, SourceSecurityGroupId"),
    ("network", "reach/subnets_give_no_public_addresses", "MapPublicIpOnLaunch: false", "MapPublicIpOnLaunch: true"),
    ("fleet", "reach/nodes_have_no_public_address", "!If [Direct, true, false]", "true"),
    ("fleet", "reach/nodes_have_no_public_address", "!If [Direct, true, false]", "!If [Wide, true, false]"),
    ("front", "reach/nodes_have_no_public_address", "AssociatePublicIpAddress: false", "AssociatePublicIpAddress: true"),
    ("entrance", "reach/the_entrance_speaks_modern_tls_only", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-2016-08"),
    ("entrance", "reach/the_entrance_speaks_modern_tls_only", "Protocol: HTTPS", "Protocol: HTTP"),
    ("entrance", "reach/the_entrance_is_strict", "Value: strictest", "Value: monitor"),
    ("entrance", "reach/the_entrance_is_strict", "drop_invalid_header_fields.enabled, Value: 'true'", "drop_invalid_header_fields.enabled, Value: 'false'"),
    ("entrance", "reach/the_entrance_is_strict", "mode, Value: append", "mode, Value: preserve"),
    ("entrance", "reach/the_entrance_is_strict", "access_logs.s3.enabled, Value: 'true'", "access_logs.s3.enabled, Value: 'false'"),
    ("entrance", "reach/targets_are_reached_by_tls_and_drain_fully", "Protocol: HTTPS\n      ProtocolVersion", "Protocol: HTTP\n      ProtocolVersion"),
    ("entrance", "reach/targets_are_reached_by_tls_and_drain_fully", "Value: '900'", "Value: '30'"),
    ("entrance", "reach/the_template_holds_the_safe_weights", "Weight: 0", "Weight: 1"),
    ("../edge", "reach/the_page_is_for_allowed_addresses_by_tls", "EventType: viewer-request", "EventType: viewer-response"),
    ("../edge", "reach/the_page_is_for_allowed_addresses_by_tls", "TLSv1.2_2021", "TLSv1"),
    ("../edge", "reach/the_page_is_for_allowed_addresses_by_tls", "redirect-to-https", "allow-all"),
    ("../edge", "reach/the_page_is_for_allowed_addresses_by_tls", "IPV6Enabled: false", "IPV6Enabled: true"),
    ("../edge", "memory/buckets_refuse_plain_http", "Principal: { Service: cloudfront.amazonaws.com }", "Principal: '*'"),
    ("fleet", "machines/metadata_needs_a_token", "HttpTokens: required", "HttpTokens: optional"),
    ("front", "machines/metadata_needs_a_token", "HttpPutResponseHopLimit: 1", "HttpPutResponseHopLimit: 2"),
    ("egress", "machines/metadata_of_instances_needs_a_token", "HttpTokens: required", "HttpTokens: optional"),
    ("fleet", "machines/volumes_are_encrypted", "Encrypted: true", "Encrypted: false"),
    ("egress", "machines/volumes_of_instances_are_encrypted", "Encrypted: true", "Encrypted: false"),
    ("fleet", "machines/nobody_logs_in_by_key", "ImageId: !Ref ImageId", "ImageId: !Ref ImageId\n        KeyName: operators"),
    ("fleet", "machines/user_data_holds_no_secret", "OLLAMA_NO_CLOUD=1", "OLLAMA_API_KEY=0123456789"),
    ("front", "machines/user_data_holds_no_secret", "umask 022", "password='{{resolve:secretsmanager:fleet}}'"),
    ("fleet", "machines/health_is_what_ec2_says", "HealthCheckType: EC2", "HealthCheckType: ELB"),
    ("fleet", "machines/updates_leave_the_size_alone", "HealthCheckGracePeriod: 60", "DesiredCapacity: '1'"),
    ("fleet", "machines/nodes_end_only_by_name", "NewInstancesProtectedFromScaleIn: true", "NewInstancesProtectedFromScaleIn: false"),
    ("fleet", "machines/nodes_start_ready_and_leave_drained", "HeartbeatTimeout: 60,", "HeartbeatTimeout: 3600,"),
    ("fleet", "machines/nodes_start_ready_and_leave_drained", "DefaultResult: ABANDON", "DefaultResult: CONTINUE"),
    ("fleet", "machines/templates_are_taken_by_number", "Version: !GetAtt Template.LatestVersionNumber", "Version: $Latest"),
    ("scaling", "machines/no_policy_shrinks_the_group", "ScalingAdjustment: 1 }", "ScalingAdjustment: -1 }"),
    ("fleet", "machines/the_pool_takes_no_used_nodes", "ReuseOnScaleIn: false", "ReuseOnScaleIn: true"),
    ("storage", "memory/tables_survive_mistakes", "DeletionPolicy: Retain", "DeletionPolicy: Delete"),
    ("storage", "memory/tables_survive_mistakes", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    ("storage", "memory/tables_survive_mistakes", "SSEEnabled: true", "SSEEnabled: false"),
    ("storage", "memory/tables_are_what_the_store_expects", "AttributeName: expires_at", "AttributeName: expires"),
    ("storage", "memory/buckets_are_private_encrypted_and_kept", "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
    ("storage", "memory/buckets_are_private_encrypted_and_kept", "ObjectOwnership: BucketOwnerEnforced", "ObjectOwnership: ObjectWriter"),
    ("storage", "memory/buckets_are_private_encrypted_and_kept", "BucketEncryption: {", "NotEncryption: {"),
    ("storage", "memory/buckets_refuse_plain_http", "'aws:SecureTransport': 'false'", "'aws:SecureTransport': 'true'"),
    ("alerts", "memory/logs_end_some_day", ", RetentionInDays: !Ref LogDays", ""),
    ("identity", "memory/people_do_not_sign_themselves_up", "!If [SignUp, false, true]", "false"),
    ("identity", "memory/people_do_not_sign_themselves_up", "DeletionProtection: ACTIVE", "DeletionProtection: INACTIVE"),
    ("access", "roles/policies_name_resources", "Resource: [!Ref TableArn, !Sub '${TableArn}/index/listed']", "Resource: '*'"),
    ("access", "roles/policies_name_resources", "Condition: { StringEquals: { 'cloudwatch:namespace': [OllamaFleet, CWAgent] } }", "Condition: {}"),
    ("access", "roles/policies_name_resources", "'autoscaling:DescribeAutoScalingGroups'", "'autoscaling:DeleteAutoScalingGroup'"),
    ("access", "roles/policies_name_actions", "'s3:GetObject', 's3:PutObject', 's3:DeleteObject'", "'s3:*'"),
    ("access", "roles/policies_name_actions", "Action: elasticloadbalancing:ModifyRule", "Action: elasticloadbalancing:*"),
    ("access", "roles/roles_name_resources_and_actions", "Resource: !Sub '${ModelsArn}/*' }", "Resource: '*' }"),
    ("access", "roles/roles_name_resources_and_actions", "Action: ['s3:GetObject', 's3:PutObject'], Resource", "Action: ['s3:*'], Resource"),
    ("access", "roles/policies_name_resources", "Action: 'ce:GetCostAndUsage'", "Action: 'ce:UpdateAnomalyMonitor'"),
    ("access", "roles/nobody_changes_the_audit_log", "Effect: Deny", "Effect: Allow"),
    ("access", "roles/nobody_changes_the_audit_log", "['dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:BatchWriteItem'", "['dynamodb:UpdateItem', 'dynamodb:BatchWriteItem'"),
    ("access", "roles/nobody_changes_the_audit_log", "'dynamodb:LeadingKeys': 'AUDIT#*'", "'dynamodb:LeadingKeys': 'AUDIT'"),
    ("access", "roles/nobody_changes_the_audit_log", "'ForAnyValue:StringLike'", "'ForAllValues:StringNotLike'"),
    ("access", "roles/fronts_read_one_secret_and_their_own_memory", "${Fleet}/bot-??????", "*"),
    ("access", "roles/fronts_read_one_secret_and_their_own_memory", "${ArchiveArn}/bot/*", "${ArchiveArn}/*"),
    ("storage", "memory/what_is_deleted_goes_some_day", ", NoncurrentVersionExpiration: { NoncurrentDays: !Ref UndoDays }", ""),
    ("storage", "memory/what_is_deleted_goes_some_day", "ExpiredObjectDeleteMarker: true", "ExpiredObjectDeleteMarker: false"),
    ("access", "roles/roles_can_be_bounded_and_are_for_services", "PermissionsBoundary: !If [Bounded, !Ref PermissionsBoundary, !Ref AWS::NoValue]", "Path: /"),
    ("access", "roles/roles_can_be_bounded_and_are_for_services", "Principal: { Service: !Sub 'ec2.${AWS::URLSuffix}' }", "Principal: { AWS: '*' }"),
]


def found(template, rule, old, new, folder):
    """Why the fault is not found; nothing if it is."""
    text = (HERE / "stacks" / f"{template}.yaml").read_text()
    if old not in text:
        return [f"{old!r} is not in {template}.yaml; the mutation is out of date"]
    copy = pathlib.Path(folder) / "mutant.yaml"
    copy.write_text(text.replace(old, new, 1))
    file, name = rule.split("/")
    run = subprocess.run([GUARD, "validate", "-S", "fail", "-r", HERE / f"guard/{file}.guard", "-d", copy],
                         capture_output=True, text=True, check=False)
    # 19: data does not comply. Anything else is a broken rule or template, not a find.
    if run.returncode == 19 and f"{file}.guard/{name} " in run.stdout:
        return []
    return [f"exit {run.returncode}, {name} is not among the failed rules", *run.stdout.splitlines()[:5], *run.stderr.splitlines()[:5]]


def main():
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for template, rule, old, new in FAULTS:
            template_name = template.removeprefix("../")
            good &= say(f"fault in {template_name}: {' '.join(new.split()) or 'nothing'} instead of {' '.join(old.split())}",
                        found(template, rule, old, new, folder))
    rules = {f"{path.stem}/{line.split()[1]}" for path in HERE.glob("guard/*.guard")
             for line in path.read_text().splitlines() if line.startswith("rule ")}
    good &= say("every rule finds a fault", sorted(rules - {rule for _, rule, _, _ in FAULTS}))
    sys.exit(not good)


main()
