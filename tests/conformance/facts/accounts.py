"""The account: academy profile, faults (aws-facts 5; rows 26, 51, 52 of 3.7; 0.9; EC2's guides on errors)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "The account"
FACTS: tuple[Fact, ...] = (
    Fact("5/regions", "D", "A Learner Lab may be used in us-east-1 and us-west-2; a policy denies every other region."),
    Fact("5/instance-types", "D", "It runs nano, micro, small, medium and large instances; its policy denies others."),
    Fact("5/on-demand", "D", "It runs on-demand instances only, and no image of the Marketplace."),
    Fact("5/volumes", "D", "Its volumes have at most 100 GB and are gp2, gp3, sc1 or standard."),
    Fact("5/nine-instances", "D", "Nine instances may run in a region; those beyond it are terminated."),
    Fact("5/vcpus", "D", "They may use 32 vCPUs together."),
    Fact("5/twenty-instances", "D", "With twenty instances the account is deactivated and what it has is deleted."),
    Fact("5/services", "D", "EC2, VPC, Load Balancing, Auto Scaling and CloudWatch may be used."),
    Fact("5/iam", "D", "IAM may be read; making roles or users is denied, service-linked roles are not."),
    Fact("5/ready-made", "D", "LabRole, LabInstanceProfile and the key pair vockey, in us-east-1, are there already."),
    Fact("5/course-denials", "O", "Some courses deny more, such as ec2:CreateVpc or load balancing."),
    Fact("5/session", "O", "A session lasts about four hours; starting the lab again extends one that runs."),
    Fact("5/credentials", "O", "Credentials are a session's: a key that begins with ASIA, and a session token."),
    Fact("5/session-end", "D", "A session's end stops running instances; the next start brings them back with new "
         "public addresses, and all else stays."),
    Fact("5/cancel-policy", "O", "After the end a policy denies everything; STS alone still says who calls."),
    Fact("5/caller", "O", "The caller is assumed-role/voclabs/user<digits>=<mail>."),
    Fact("5/over-budget", "D", "An account that is over its budget is disabled, and the work in it is lost."),
    Fact("5/budget-lag", "O", "The budget that is shown is 8 to 12 hours old, and typically 50 to 100 dollars.",
         left_out="it is shown on a web page of the course, by no API"),
    Fact("5/unwritten-limits", "D", "What goes beyond a limit shows as Failed activities, or as instances that are "
         "terminated at once."),
    Fact("0.9/group-after-session-end", "D", "A group takes members that were stopped at a session's end for failed, "
         "terminates them and launches others."),
    Fact("3.7/26-vcpu-limit", "O", "A launch beyond the vCPU limit is VcpuLimitExceeded; a group's activity tells it."),
    Fact("3.7/51-denied", "O", "What a policy denies is UnauthorizedOperation of EC2 and AccessDenied elsewhere, 403, "
         "and names caller, action and the explicit deny."),
    Fact("3.7/52-expired-ec2", "I", "With an expired session token EC2 says RequestExpired."),
    Fact("3.7/52-expired", "O", "With an expired session token other services say ExpiredToken."),
    Fact("fault/throttling", "D", "Requests beyond an account's rate are refused, also writes; a later try passes."),
    Fact("fault/throttling-words", "D", "EC2 says RequestLimitExceeded with status 503; Auto Scaling, Load Balancing "
         "and CloudWatch say Throttling, Rate exceeded, with status 400."),
    Fact("fault/capacity", "O", "A zone without capacity refuses RunInstances and StartInstances with "
         "InsufficientInstanceCapacity, status 500, and names the zones that have some."),
    Fact("fault/capacity-group", "D", "A group whose launch finds no capacity notes a Failed activity, tries its other "
         "zone, and balances its zones when the capacity is back."),
    Fact("fault/eventual-consistency", "D", "A call that names a resource just made may not find it (NotFound)."),
    Fact("fault/zone-outage", "D", "Instances of a zone that is cut off are running and unreachable; health checks "
         "find them unhealthy, and serve from the other zone."),
    Fact("fault/impaired", "D", "Both status checks are impaired since a time told; StatusCheckFailed_System is 1."),
    Fact("fault/impaired-group", "D", "A group replaces a member whose status checks fail after some minutes, not at "
         "once."),
    Fact("fault/impaired-cause", "O", "The activity's cause is an EC2 instance status checks failure."),
)  # fmt: skip
