"""Network Load Balancers (aws-facts 0, 1 and rows 29-40 of 3.7)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Network Load Balancers"

SURPRISES = (
    Fact("0/fail-open", "D", "A group that shuts out the health checks makes every target unhealthy, and the service "
         "still answers: with no healthy target at all a node sends to all of them."),
    Fact("0/zone-decides", "D", "With cross-zone off and one instance a zone, the zone's address that a client picked "
         "decides who answers, not the flow hash."),
    Fact("0/six-inputs", "D", "The flow hash for TCP has six inputs; the sixth is the TCP sequence number."),
    Fact("0/initial", "O", "A new target is initial for 70 to 180 seconds before anybody checks it, also when its "
         "server runs already."),
    Fact("0/vanish", "R", "A list of targets loses a deregistered or terminated one; asked for by id it is unused/"
         "Target.NotRegistered, or, when its instance was terminated, draining for ten minutes and more."),
)  # fmt: skip

OBJECTS = (
    Fact("1.1/dns-name", "D", "The DNS name is name-digits.elb.region.amazonaws.com; the sixteen hexadecimal digits "
         "are the last part of the ARN loadbalancer/net/name/digits."),
    Fact("1.1/zonal-name", "D", "The zone's name before the DNS name resolves to that zone's node alone."),
    Fact("1.1/hosted-zone", "R", "CanonicalHostedZoneId of every network load balancer of us-east-1 is one constant."),
    Fact("1.1/nodes", "D", "There is one node in each enabled zone, with one interface whose description is ELB and "
         "the balancer's net/name/digits."),
    Fact("1.1/fixed-address", "D", "An internet-facing balancer has one public address a zone, the same for life."),
    Fact("1.1/internal", "D", "An internal balancer has private addresses only."),
    Fact("1.1/free-addresses", "D", "A subnet needs eight free addresses."),
    Fact("1.1/one-subnet-a-zone", "D", "A balancer has exactly one subnet in each of its zones."),
    Fact("1.1/one-zone", "D", "One zone is enough for a network load balancer."),
    Fact("1.1/set-subnets", "D", "SetSubnets replaces the subnets: zones come and go."),
    Fact("1.1/states", "D", "A new balancer is provisioning, then active."),
    Fact("1.1/time-to-active", "O", "It is active after some minutes.", knob="provisioning_s"),
    Fact("1.1/waiter", "D", "The SDK's waiters for balancers and targets see a state on the way, then the last one."),
    Fact("1.1/describe-shape", "R", "DescribeLoadBalancers shows zones with empty LoadBalancerAddresses, scheme, type "
         "network, address type ipv4 and a state with a code."),
    Fact("1.1/no-groups-key", "R", "A balancer that was made without security groups has no SecurityGroups member."),
    Fact("1.1/idempotence", "D", "Making a balancer, target group or listener again with the same settings gives the "
         "one that is there; with others it is refused as a duplicate."),
    Fact("1.1/name-rules", "D", "Names have up to 32 letters, digits and hyphens, none at the ends; a balancer's does "
         "not begin with internal-."),
    Fact("1.1/default-type", "D", "Without a type an application load balancer is meant."),
    Fact("1.1/delete-succeeds", "D", "Deleting a balancer that is not there succeeds."),
    Fact("1.1/delete-listeners", "D", "Deleting a balancer deletes its listeners and leaves the targets alone."),
    Fact("1.1/interfaces-linger", "O", "A deleted balancer's interfaces and addresses are there for minutes more, and "
         "subnet, gateway and groups cannot go before them.", knob="interface_linger_s"),
    Fact("1.1/quotas", "D", "50 balancers a region, 50 listeners a balancer, one target group an action, 500 targets "
         "a zone, 3000 target groups, 1000 targets a group."),
    Fact("1.1/attributes", "D", "A balancer's attributes and their defaults: no protection, no cross-zone, no logs."),
    Fact("1.1/client-routing", "I", "The default of dns_record.client_routing_policy is any_availability_zone."),
    Fact("1.1/idle-timeout", "D", "A listener's tcp.idle_timeout.seconds is 350, and may be 60 to 6000."),
)  # fmt: skip

GROUPS_AND_DATA = (
    Fact("1.2/at-creation", "D", "A balancer's security groups are given when it is made and changed later; one made "
         "without never gets any."),
    Fact("1.2/none-by-default", "R", "Without SecurityGroups in the request there are none, not the VPC's default."),
    Fact("1.3/per-connection", "D", "A target is chosen for each connection and stays for its life; the next "
         "connection may go elsewhere, from the same port too."),
    Fact("1.3/own-zone", "D", "With cross-zone off a node chooses among the healthy targets of its own zone."),
    Fact("1.3/cross-zone", "D", "With cross-zone on it chooses among all enabled zones'; the target group's attribute "
         "overrides the balancer's."),
    Fact("1.3/client-ip", "D", "With instance targets the server sees the client's own address."),
    Fact("1.3/client-ip-groups", "D", "So its security group must admit clients at the service port, and the nodes' "
         "private addresses at the health port."),
    Fact("1.3/hairpin", "D", "An instance that is led back to itself through its balancer gets no answer."),
    Fact("1.3/no-listener", "D", "A port without a listener drops: a client times out and is not refused."),
    Fact("1.3/return-path", "D", "A target that does not answer a new connection within 30 s has no way back to the "
         "client."),
    Fact("1.3/no-flow", "D", "A packet of a connection that the node does not know, on a listener's port, is reset."),
    Fact("1.3/target-closed", "D", "A target's closed port resets its clients, on the target's account."),
    Fact("1.3/target-silent", "D", "A target whose group drops the client, or that is gone, lets it time out."),
    Fact("1.3/idle", "D", "An idle flow is forgotten silently, and the next packet of either side is reset."),
    Fact("1.3/not-terminated", "D", "One client connection is one flow to one target; nothing is multiplexed."),
    Fact("1.3/uneven", "I", "Few connections are shared out as unevenly as dice fall: a keyed hash, no turns."),
)  # fmt: skip

NAMES_AND_CHECKS = (
    Fact("1.4/one-address-a-zone", "D", "The name gives one address for each healthy enabled zone."),
    Fact("1.4/ttl", "D", "Its records live for 60 seconds."),
    Fact("1.4/zone-leaves", "D", "A zone without a healthy target, or without any with cross-zone off, leaves DNS; who "
         "still uses its address fails."),
    Fact("1.4/removal-lag", "I", "It leaves within half a minute.", knob="dns_removal_lag_s"),
    Fact("1.4/thresholds", "D", "How many healthy targets are enough for DNS and for routing is told by count and "
         "percentage; one target and off by default."),
    Fact("1.4/all-unhealthy", "D", "With every zone unhealthy all addresses stay, and every node sends to all."),
    Fact("1.4/empty-group", "D", "An empty target group fails open too: every zone stays in DNS."),
    Fact("1.4/order", "I", "The order of the addresses is drawn anew for each answer."),
    Fact("1.4/not-while-provisioning", "O", "The name does not resolve before the balancer is active."),
    Fact("1.4/negative-ttl", "I", "That a name did not resolve is cached for a while.",
         left_out="the cloud's resolver is asked anew each time; no resolver on the way keeps a refusal"),
    Fact("1.5/defaults", "D", "By the API a TCP group is checked every 30 s, for 10 s, five passes, two failures, on "
         "the traffic port by TCP."),
    Fact("1.5/ranges", "D", "Interval 5 to 300, timeout 2 to 120, thresholds 2 to 10."),
    Fact("1.5/timeout", "I", "The timeout is at most the interval."),
    Fact("1.5/modify", "D", "The health check changes at any time."),
    Fact("1.5/pass", "D", "A completed handshake passes; the node closes, and the check comes from its own address."),
    Fact("1.5/fail", "D", "A refusal fails at once, silence after the timeout."),
    Fact("1.5/each-node", "D", "Every node checks every target."),
    Fact("1.5/first-healthy", "D", "A new target is in service once it has passed one check."),
    Fact("1.5/passes", "I", "Or once it has passed HealthyThresholdCount: the guide says both.", knob="initial_passes"),
    Fact("1.5/registration-delay", "O", "A registered target is first probed after a minute or two.",
         knob="registration_s"),
    Fact("1.5/passive", "D", "Clients' connections that fail may make a target unhealthy before its check does; not "
         "with stickiness."),
    Fact("1.5/passive-failures", "I", "How many of them, AWS does not say.", knob="passive_failures"),
    Fact("1.5/bring-down", "D", "As many failures in a row as the threshold make a target unhealthy."),
    Fact("1.5/route-lag", "O", "A change of target group or listener may take more than a minute to be felt.",
         left_out="one report of old behaviour, not repeated; a change is felt at the nodes' next instruction"),
    Fact("1.5/no-slow-start", "D", "There is no slow start: a healthy target has its full share at once."),
)  # fmt: skip

TARGETS = (
    Fact("1.6/registering", "D", "A target that was just registered is initial/Elb.RegistrationInProgress."),
    Fact("1.6/initial-checks", "D", "While its first checks run it is initial/Elb.InitialHealthChecking."),
    Fact("1.6/healthy", "R", "A healthy target has neither reason nor description."),
    Fact("1.6/unhealthy", "D", "An unhealthy target of a network load balancer is Target.FailedHealthChecks."),
    Fact("1.6/unhealthy-draining", "D", "It is unhealthy.draining first where its connections are kept for an "
         "interval."),
    Fact("1.6/draining", "D", "A target that is deregistered is draining/Target.DeregistrationInProgress."),
    Fact("1.6/not-registered", "R", "What is not registered is unused/Target.NotRegistered, by id only."),
    Fact("1.6/not-in-use", "D", "Targets of a group that no listener uses are unused/Target.NotInUse."),
    Fact("1.6/zone-not-enabled", "D", "So is a target in a zone that is not enabled, in other words."),
    Fact("1.6/stopped", "R", "A registered instance that was stopped is unused/Target.InvalidState."),
    Fact("1.6/entry", "R", "An entry has the target with its port, the port of its checks and its health."),
    Fact("1.6/override", "R", "And AdministrativeOverride, which says that there is none."),
    Fact("1.6/no-targets", "R", "A group without targets lists none."),
    Fact("1.6/by-id", "R", "Targets may be asked for by id, with or without a port."),
    Fact("1.6/walk-deregistered", "R", "A deregistered target's entry disappears when it has drained."),
    Fact("1.6/walk-stopped", "R", "A stopped instance cannot be registered; one that stops later stays listed."),
    Fact("1.6/walk-terminated", "R", "A terminated instance's entry disappears; by id it is draining."),
    Fact("1.6/ip-targets", "D", "Targets that are addresses: Target.IpUnusable, and no client's address kept.",
         left_out="the lab's targets are instances; TargetType=ip is refused in words"),
    Fact("1.6/internal-error", "D", "A check that fails inside of AWS makes a target unavailable, Elb.InternalError.",
         left_out="nothing here fails so; a data plane that ends takes the cloud with it, and says so"),
    Fact("1.7/unhealthy", "D", "A target that turns unhealthy loses its connections at their next packet, unless its "
         "group keeps them or the node fails open; new ones go to the healthy ones of the zone."),
    Fact("1.7/deregister", "D", "A deregistered target's connections go on through the delay (300 s, 0 to 3600) and "
         "after it, and end with it only when the group says so."),
    Fact("1.7/deregister-stops", "D", "New connections stop at once."),
    Fact("1.7/terminated", "D", "A terminated instance fails new connections until the checks notice."),
    Fact("1.7/deleted", "I", "A deleted balancer's name disappears and its connections are cut."),
    Fact("1.8/attributes", "D", "A TCP group of instances has thirteen attributes, each with AWS's default."),
    Fact("1.8/ranges", "D", "Values outside of an attribute's range, and keys that the group has not, are refused."),
)  # fmt: skip

REFUSALS = (
    Fact("3.7/29", "O", "Two subnets of one zone: InvalidConfigurationRequest."),
    Fact("3.7/30", "O", "An internet-facing balancer in a VPC without a gateway: InvalidSubnet."),
    Fact("3.7/31", "D", "An unknown subnet: SubnetNotFound; one that is no id: InvalidSubnet."),
    Fact("3.7/32", "O", "A name that is taken by one with other settings: DuplicateLoadBalancerName, "
         "DuplicateTargetGroupName."),
    Fact("3.7/33", "O", "A second listener on a port: DuplicateListener."),
    Fact("3.7/34", "O", "Deleting a target group in use: ResourceInUse."),
    Fact("3.7/35", "D", "What is not there: LoadBalancerNotFound, TargetGroupNotFound, ListenerNotFound, in lists as "
         "one or more not found."),
    Fact("3.7/35-malformed", "O", "An ARN that nothing here could have is not looked for: ValidationError."),
    Fact("3.7/36", "R", "Deleting a protected balancer: OperationNotPermitted."),
    Fact("3.7/37", "R", "Registering an instance that does not run: InvalidTarget."),
    Fact("3.7/38", "O", "Registering an instance of another VPC: InvalidTarget."),
    Fact("3.7/39", "I", "A listener protocol that a network balancer has not: ValidationError; one that this cloud has "
         "not: UnsupportedProtocol."),
    Fact("3.7/40", "I", "A target group's name that is too long or has other characters: ValidationError."),
)  # fmt: skip

FACTS: tuple[Fact, ...] = (*SURPRISES, *OBJECTS, *GROUPS_AND_DATA, *NAMES_AND_CHECKS, *TARGETS, *REFUSALS)
