"""CloudWatch and the wire (aws-facts 4)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "CloudWatch and the wire"

_ALARMS_ON_GAPS = (
    Fact(
        "2.6/evaluation-range", "D",
        "An alarm reads more periods than it evaluates, five for three, and what is older than that is forgotten.",
    ),
    Fact(
        "2.6/missing-data", "D",
        "With fewer points than periods in that range the missing ones are filled in as TreatMissingData says, as "
        "few as possible; with enough of them the setting is not needed.",
    ),
    Fact(
        "2.6/premature-alarm", "D",
        "Missing treated as missing: breaching points alone alarm as soon as the oldest is as many periods old as "
        "points are needed; a fresher one waits.",
    ),
    Fact(
        "2.6/basic-data", "D",
        "Three periods of a minute on five-minute data alarm on one breaching point, minutes after it is "
        "published, not after fifteen.",
    ),
)  # fmt: skip

_REFUSALS = (
    Fact("3.7/53", "I", "A wrong key or a foreign token: EC2 says AuthFailure, the others InvalidClientTokenId."),
    Fact("3.7/54", "R", "A state that an alarm cannot have: ValidationError, with the states that there are."),
    Fact("3.7/55", "R", "A range that ends where it starts: InvalidParameterValue."),
    Fact(
        "3.7/56", "R",
        "More than 1,440 points of GetMetricStatistics: InvalidParameterCombination, with their number.",
    ),
)  # fmt: skip

_OF_BALANCERS = (
    Fact(
        "4.1/active-flows", "D",
        "ActiveFlowCount by balancer, by zone and balancer, by target group; _TCP when not zero.",
    ),
    Fact("4.1/new-flows", "D", "NewFlowCount by the same, to be summed; _TCP when not zero."),
    Fact("4.1/processed-bytes", "D", "ProcessedBytes by balancer and by zone: headers included, health checks not."),
    Fact("4.1/processed-packets", "D", "ProcessedPackets by balancer and by zone: health checks included."),
    Fact(
        "4.1/peaks", "D",
        "PeakPacketsPerSecond and PeakBytesPerSecond of windows of ten seconds, by balancer and zone.",
    ),
    Fact("4.1/consumed-lcus", "D", "ConsumedLCUs by balancer only; _TCP when not zero."),
    Fact("4.1/resets", "D", "Resets by client, target and balancer, always reported, by balancer and by zone."),
    Fact(
        "4.1/host-counts", "D",
        "HealthyHostCount and UnHealthyHostCount by balancer and target group together, with or without the zone, "
        "never by the balancer alone; only while targets are registered.",
    ),
    Fact("4.1/fail-open", "D", "UnhealthyRoutingFlowCount counts the flows that failed open, when there are any."),
    Fact("4.1/fail-open-dimensions", "I", "UnhealthyRoutingFlowCount is there by balancer and by zone."),
    Fact("4.1/zonal-health", "D", "ZonalHealthStatus: 1 for each healthy zone, 0 for each unhealthy one."),
    Fact("4.1/rejected-flows", "D", "RejectedFlowCount by balancer and zone; _TCP when not zero."),
    Fact("4.1/port-allocation", "D", "PortAllocationErrorCount by balancer and zone."),
    Fact("4.1/security-group-blocked", "D", "SecurityGroupBlockedFlowCount_* has no data where nothing was blocked."),
    Fact(
        "4.1/security-group-blocked-count", "I",
        "How many flows a balancer's group blocked.",
        left_out="A closed port's packets are dropped by the kernel before anything could count them.",
    ),
    Fact(
        "4.1/unpublished", "D",
        "A combination of dimensions that nobody published answers nothing, without an error.",
    ),
    Fact("4.1/nodes", "D", "Minimum and Maximum are over what single nodes report."),
    Fact(
        "4.1/own-zone", "I",
        "With cross-zone off a node counts its own zone's targets, so the maximum over a group is its best "
        "zone's.",
    ),
    Fact("4.1/units", "R", "Counts are in Count, bytes in Bytes."),
    Fact(
        "4.1/newer", "D",
        "Metrics that the list of 2023 lacks are published too: ZonalHealthStatus, RejectedFlowCount, "
        "PeakBytesPerSecond.",
    ),
    Fact(
        "4.2/graphs", "I",
        "Which graphs the console shows of a balancer and of a target group.",
        left_out="There is no console; a picture shows whatever metrics it is asked for.",
    ),
    Fact(
        "4.2/tabs", "D",
        "A target group's graphs are the metrics that carry its dimension, a balancer's those that carry the "
        "balancer's.",
    ),
)  # fmt: skip

_OF_INSTANCES = (
    Fact("4.3/cpu", "D", "CPUUtilization in Percent, by instance and by group."),
    Fact("4.3/aggregates", "I", "By image and by type only of instances with detailed monitoring."),
    Fact("4.3/network", "D", "NetworkIn and NetworkOut in bytes."),
    Fact(
        "4.3/status-checks", "D",
        "StatusCheckFailed, _Instance and _System: a point a minute, whatever the monitoring.",
    ),
    Fact("4.3/credits", "D", "CPUCreditUsage and CPUCreditBalance: a point every five minutes."),
    Fact("4.3/resolution", "D", "Basic monitoring has five-minute points, detailed monitoring one-minute points."),
    Fact("4.3/covers", "D", "A five-minute point covers the five minutes after its timestamp."),
)  # fmt: skip

_QUERIES = (
    Fact("4.4/query-limit", "D", "At most 500 queries a GetMetricData."),
    Fact("4.4/point-limit", "D", "At most 100,800 points, or MaxDatapoints; the rest comes with NextToken."),
    Fact("4.4/newest-first", "D", "Points come newest first unless ScanBy says otherwise."),
    Fact("4.4/start-inclusive", "D", "StartTime is included, EndTime is not."),
    Fact(
        "4.4/start-rounded", "D",
        "A start is rounded down to the minute, to five minutes beyond 15 days, to the hour beyond 63.",
    ),
    Fact("4.4/periods", "D", "Periods are multiples of 60 seconds (shorter ones of a high resolution apart)."),
    Fact("4.4/no-data", "R", "A metric without data has empty Values and StatusCode Complete."),
    Fact(
        "4.4/labels", "R",
        "A result's label is the metric's name, with the statistic and the period where queries differ in them.",
    ),
    Fact(
        "4.4/dynamic-labels", "D",
        "A label may hold numbers and properties of its line, as in ${MAX} or ${PROP('Stat')}.",
    ),
    Fact(
        "4.4/units-apart", "R",
        "GetMetricStatistics has a row per unit; GetMetricData takes the first unit by name and says "
        "MultipleUnits.",
    ),
    Fact("4.4/retention", "D", "One-minute points are kept 15 days, five-minute ones 63 days, hourly ones 455 days."),
    Fact(
        "4.4/list-metrics", "D",
        "ListMetrics filters by namespace, name and dimensions, in pages of 500; what is silent for two weeks is "
        "dropped from it, what is new may be late in it.",
    ),
    Fact(
        "4.4/publication-delay", "I",
        "Points of AWS's own are seen one to three minutes after they are over.",
        knob="publication_delay_s",
    ),
    Fact("4.4/aws-closed", "R", "PutMetricData into AWS/ is refused."),
    Fact("4.4/timestamps", "D", "A published point is at most two weeks old and at most two hours ahead."),
    Fact(
        "4.4/extended-statistics", "D",
        "Percentiles, trimmed and winsorized means, trimmed counts and sums, percentile ranks and the "
        "interquartile mean, of raw values.",
    ),
    Fact(
        "4.4/metric-math", "D",
        "Expressions over metrics: arithmetic, comparisons, IF, FILL, SORT and the rest; a missing point counts "
        "as 0, a division by zero is dropped.",
    ),
    Fact(
        "4.4/metric-math-errors", "O",
        "A wrong expression is named: Error in expression 'e1': Function 'F' not found.",
    ),
    Fact("4.4/search", "D", "SEARCH finds metrics by schema, by exact terms and by tokens, with AND, OR and NOT."),
)  # fmt: skip

_ALARMS = (
    Fact("4.4/new-alarm", "R", "A new alarm is in INSUFFICIENT_DATA: Unchecked: Initial alarm creation."),
    Fact("4.4/alarm-defaults", "R", "What an alarm was not given is not shown; its lists of actions are empty."),
    Fact(
        "4.4/terraform-cycle", "R",
        "What is read back equals what was asked, after creating and after changing, and nothing is left after "
        "destroying.",
    ),
    Fact(
        "4.4/alarm-refusals", "O",
        "Settings that make no sense are refused with ValidationError, in AWS's sentences where others recorded "
        "them.",
    ),
    Fact("4.4/reason", "R", "The reason names the crossing points, newest first, with their times, and the threshold."),
    Fact("4.4/reason-date", "I", "The date in a reason is day/month/year."),
    Fact(
        "4.4/reason-many", "O",
        "From five points on the reason gives their number first, and names the newest after.",
    ),
    Fact(
        "4.4/reason-data", "R",
        "StateReasonData tells the same as JSON: unit, statistic, period, recent and evaluated points.",
    ),
    Fact(
        "4.4/missing-treated", "R",
        "Missing points that were filled in are told as treated as [Breaching] or [NonBreaching], and stand among "
        "the evaluated ones with their times alone.",
    ),
    Fact("4.4/m-of-n", "O", "With DatapointsToAlarm the reason tells how many of the last, and how many it takes."),
    Fact("4.4/set-alarm-state", "D", "A state set by hand lasts until the next evaluation."),
    Fact(
        "4.4/history", "R",
        "History tells creations, changes of state and actions, newest first, each with a JSON document.",
    ),
    Fact("4.4/action-history", "I", "An action that reaches nobody is told as failed."),
    Fact("4.4/math-alarms", "D", "An alarm may watch metric math over at most ten metrics of one period."),
    Fact("4.4/composite", "O", "A composite alarm follows the states of others, and names the one that changed."),
    Fact("4.4/composite-refusals", "O", "A rule that cannot be read, or names an alarm that is not there, is refused."),
    Fact("4.4/dashboards", "R", "A dashboard is given back to the letter, with its ARN, its size and its date."),
    Fact("4.4/dashboard-refusals", "O", "A dashboard's mistakes are told all at once, each with its place."),
)  # fmt: skip

_WIRE = (
    Fact("0/10", "R", "boto3 speaks JSON to CloudWatch; of Auto Scaling there is no waiter."),
    Fact("4.4/json", "R", "CloudWatch in JSON 1.0; an error carries the code of the query protocol in a header."),
    Fact("4.4/query", "R", "CloudWatch in the query protocol of older clients."),
    Fact("4.4/cbor", "R", "CloudWatch in Smithy's RPC over CBOR."),
    Fact("4.5/protocols", "R", "EC2 speaks ec2, load balancing, Auto Scaling and STS query, CloudWatch JSON."),
    Fact("4.5/endpoint", "R", "A client finds a service by endpoint, region and credentials; nothing else is needed."),
    Fact("4.5/endpoint-variable", "R", "AWS_ENDPOINT_URL, or one service's, turns every client without code."),
    Fact("4.5/signed", "R", "Every request is signed (Signature Version 4)."),
    Fact("4.5/waiters", "R", "botocore's waiters for the lab's resources find what they wait for."),
    Fact("4.5/unknown-action", "I", "An unknown action is InvalidAction, in EC2's words or in the others'."),
    Fact(
        "4.5/missing-parameter", "I",
        "A missing parameter is MissingParameter for EC2, a ValidationError that names all of them for the "
        "others.",
    ),
    Fact("4.5/unknown-parameter", "O", "EC2 refuses a parameter that it does not know; the others pass over it."),
    Fact("4.5/request-id", "R", "Every answer has a request id of its own."),
    Fact("4.5/skew", "I", "A request signed more than a quarter of an hour off is refused, early or late."),
    Fact("4.5/presigned", "I", "A URL may carry its signature, and for how long it holds."),
)  # fmt: skip

FACTS: tuple[Fact, ...] = (
    *_ALARMS_ON_GAPS, *_REFUSALS, *_OF_BALANCERS, *_OF_INSTANCES, *_QUERIES, *_ALARMS, *_WIRE,
)  # fmt: skip
