"""Instances, images, templates, VPC (aws-facts 3)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Instances, images, templates, VPC"
INSTANCES: tuple[Fact, ...] = (
    Fact(
        "3.1/states",
        "D",
        "An instance is pending (0), running (16), stopping (64), stopped (80), shutting-down (32) or terminated "
        "(48); what its state does not allow is refused with IncorrectInstanceState.",
    ),
    Fact(
        "3.1/reasons",
        "R",
        "StateReason and StateTransitionReason say that a user shut it down and when, and are gone once it runs "
        "again; while pending the reason is pending.",
    ),
    Fact("3.1/billing", "D", "An instance is charged by the second from running on, for a minute at least."),
    Fact("3.1/private-address", "D", "The private address stays over stop and start and goes at termination."),
    Fact(
        "3.1/public-address",
        "D",
        "A public address that was assigned by itself goes at a stop, another comes with the start, and a reboot "
        "keeps it.",
    ),
    Fact(
        "3.1/listed-after-the-end",
        "I",
        "A terminated instance is listed for about an hour, without its addresses, interface and volume.",
    ),
    Fact(
        "3.1/status-checks",
        "D",
        "Status checks begin as initializing and end as ok; who has not answered for a minute is impaired; who does "
        "not run is not-applicable and listed only when all are asked for.",
    ),
    Fact(
        "3.1/status-insufficient",
        "I",
        "A check that could not be carried out has insufficient data.",
        left_out="nothing here keeps the checks from being carried out",
    ),
    Fact(
        "3.1/poweroff",
        "R",
        "An instance that is shut down from inside is stopped, or terminated when it was launched so, and its reason "
        "says who did it.",
    ),
    Fact("3.1/status-time", "I", "Both checks have passed some minutes after the instance runs.", knob="status_ok_s"),
    Fact("3.1/pending-time", "I", "Running comes 5 to 30 seconds after the launch.", knob="pending_s"),
    Fact("3.1/boot-time", "I", "Its programs answer 20 to 60 seconds after that.", knob="boot_s"),
    Fact("3.1/stopping-time", "I", "A stop takes 20 to 60 seconds.", knob="stopping_s"),
    Fact("3.1/shutting-down-time", "I", "A termination takes 20 to 60 seconds.", knob="shutting_down_s"),
    Fact(
        "3.1/unknown-ids",
        "I",
        "One unknown instance and several are named in sentences of their own; a malformed id is Malformed, not "
        "NotFound.",
    ),
    Fact("3.1/console", "D", "The console output is what the instance's boots have printed."),
    Fact(
        "3.1/defaults",
        "R",
        "Every member of an instance that was not asked for is read back with AWS's default, and RunInstances "
        "answers before devices and addresses are there.",
    ),
    Fact("3.1/interface", "R", "An instance has one interface at index 0 that goes with it."),
    Fact(
        "3.1/volume",
        "D",
        "An instance has a root volume made of its image's snapshot; it goes with the instance, or stays and is "
        "available when DeleteOnTermination is off.",
    ),
    Fact(
        "3.1/attributes",
        "D",
        "Attributes are read and changed one at a time; type and user data only while stopped.",
    ),
    Fact(
        "3.1/options",
        "D",
        "Metadata options come from the request, else the image; CPU credits from the request, else the type: "
        "standard for t2, unlimited for t3.",
    ),
    Fact(
        "3.1/monitoring",
        "D",
        "Detailed monitoring answers pending when it is turned on, disabling when it is turned off.",
    ),
    Fact(
        "3.1/client-token",
        "D",
        "A client token stands for one launch; the same token with other arguments is refused.",
    ),
    Fact("3.1/dry-run", "D", "A dry run passes the checks and ends with DryRunOperation (412), lists included."),
    Fact("3.1/filters", "D", "A filter matches with wildcards; one that the call does not have is refused."),
    Fact("3.1/pages", "R", "Lists come in pages of five at least; a page size beside ids is refused."),
    Fact("3.1/types", "D", "Instance types and where they are offered are listed as they are on AWS, by pages of 100."),
    Fact(
        "3.1/key-pairs",
        "D",
        "A key pair's fingerprint says whether AWS made it or took it in; deleting one that is not there succeeds.",
    ),
    Fact(
        "3.1/cycle",
        "R",
        "An instance reads back as it was asked for, also after changes, and leaves nothing behind.",
    ),
)
IMAGES: tuple[Fact, ...] = (
    Fact("3.2/reboots", "D", "CreateImage powers the instance down and starts it again, unless told not to."),
    Fact("3.2/states", "D", "An image is pending, then available; it may fail."),
    Fact("3.2/time", "I", "It is available some minutes after it was begun.", knob="image_s"),
    Fact("3.2/off-time", "I", "Of these the instance is off for half a minute.", knob="image_off_s"),
    Fact("3.2/waiter", "D", "The waiters image_available and snapshot_completed end with it."),
    Fact("3.2/launch-pending", "D", "A pending image cannot be launched, in AWS's words."),
    Fact("3.2/snapshot", "R", "With the image comes a snapshot of the volume, pending and then completed."),
    Fact("3.2/snapshot-stays", "D", "Deregistering keeps the snapshot unless it is to go too."),
    Fact("3.2/snapshot-in-use", "I", "A snapshot that an image uses is not deleted: InvalidSnapshot.InUse names both."),
    Fact(
        "3.2/deregistered",
        "D",
        "A deregistered image that an instance still names gives an empty list; later it is unknown.",
    ),
    Fact("3.2/names", "D", "A name has 3 to 128 of the allowed characters and is one's own only once."),
    Fact("3.2/defaults", "R", "Every member of an image and of its snapshot is there, made of what its source is."),
    Fact(
        "3.2/attributes",
        "D",
        "An image's attributes are read one at a time; description and launch permissions can be changed.",
    ),
    Fact("3.2/lists", "D", "Images are found by owner (self, amazon, an account), by filter and in pages."),
    Fact("3.2/unknown-ids", "I", "Unknown, malformed and foreign images and snapshots are refused, each in its way."),
)
TEMPLATES: tuple[Fact, ...] = (
    Fact("3.3/default", "D", "Without a version RunInstances and a group take $Default."),
    Fact(
        "3.3/versions",
        "R",
        "Versions are numbered from 1; a new one is the latest and not the default, which is moved by name or id.",
    ),
    Fact("3.3/asg-version", "R", "A group keeps $Latest as it was said and takes what is latest at each launch."),
    Fact(
        "3.3/contents",
        "D",
        "A template's contents are looked at when a group is made with it or an instance launched.",
    ),
    Fact(
        "3.3/interfaces",
        "D",
        "A template's interface carries the security groups and leaves the subnet to the launch.",
    ),
    Fact(
        "3.3/version-errors",
        "R",
        "Wrong names, ids and versions are refused in the words of the call: describe, modify and list differ.",
    ),
    Fact(
        "3.3/basic-monitoring",
        "D",
        "What a template launches has basic monitoring unless the template says otherwise.",
    ),
    Fact(
        "3.3/deleted-versions",
        "D",
        "Versions are deleted one by one, the default never, and a number is not given again.",
    ),
    Fact("3.3/lists", "D", "Templates and versions are found by filter and come in pages of 200 at most."),
    Fact("3.3/idempotence", "D", "A client token stands for one template, and a dry run for none."),
    Fact("3.3/cycle", "R", "A template reads back as it was written and leaves nothing behind."),
)
NAMES: tuple[Fact, ...] = (
    Fact("3.4/private-name", "D", "A private address is named ip-….ec2.internal in us-east-1."),
    Fact(
        "3.4/public-name",
        "D",
        "A public address is named ec2-….compute-1.amazonaws.com only where the VPC has DNS host names on; else "
        "the name is empty.",
    ),
    Fact("3.4/ids", "I", "An id is its kind's prefix and 17 hexadecimal digits."),
)
REFUSALS: tuple[Fact, ...] = (
    Fact("3.7/19", "O", "A launch with a security group of another VPC is refused with both named."),
    Fact("3.7/20", "O", "An interface and an instance-level subnet or security groups exclude each other."),
    Fact(
        "3.7/21",
        "R",
        "An unknown image is InvalidAMIID.NotFound, with its id in brackets; a malformed id says what is expected.",
    ),
    Fact("3.7/22", "O", "An unknown key pair is InvalidKeyPair.NotFound, in a launch, a group and a list."),
    Fact("3.7/23", "I", "A key pair's name is there once: InvalidKeyPair.Duplicate."),
    Fact("3.7/24", "R", "A launch template's name is there once."),
    Fact("3.7/25", "R", "A launch template that is not there is refused by id, by name and by version."),
    Fact("3.7/26", "O", "A launch over the account's vCPUs is VcpuLimitExceeded, with the limit."),
    Fact("3.7/27", "I", "An unknown instance is InvalidInstanceID.NotFound."),
    Fact("3.7/28", "R", "A protected instance is not terminated; the sentence names the attribute to change."),
)
FACTS: tuple[Fact, ...] = (*INSTANCES, *IMAGES, *TEMPLATES, *NAMES, *REFUSALS)
