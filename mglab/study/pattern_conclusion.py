"""Question 1, the answer: statements from the data alone, each with the numbers it rests on, and the mechanism.

A statement holds no number; its numbers stand beside it, so that two runs with the same truth say the same with
different numbers. The mechanism is put together by rules from two choices that can be told apart from outside:

* which zone's address a connection goes to: the client takes it from DNS;
* which instance it then reaches: the node's choice, seen only where a node has more than one to choose from.

What was not seen is said to be not measured. What can never be seen from outside is whether a choice that looks
like chance is a hash of the whole flow or a die: AWS documents the hash (aws-facts 1.3), the data only fit it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mglab.display import column
from mglab.study.pattern import NAME, Arm, Pattern, address_by_responder, candidates, crossings, is_empty, situation
from mglab.study.pattern_tests import BASE, LARGER, Verdict, shared, verdicts

NOT_MEASURED = "not measured"
Verdicts = Mapping[str, Verdict]


@dataclass(frozen=True)
class Finding:
    """One statement, and the numbers it rests on."""

    about: str = field(metadata=column("About"))
    reading: str = field(repr=False)
    """The statement in a word or two, for rules and tests."""
    statement: str = field(metadata=column("Statement"))
    because: str = field(metadata=column("Because"))


def conclusion(seen: Pattern, backend: str) -> list[Finding]:
    """Say what the experiment shows: each question's answer, then the mechanism."""
    judged = verdicts(seen)
    findings = [_as_far_as_seen(ask(seen, judged), backend) for ask in QUESTIONS]
    return [*findings, _mechanism({finding.about: finding for finding in findings})]


def port_caveat(backend: str) -> str:
    """Say what cannot be known of the source port that a request had when it reached the balancer."""
    if backend == "local":
        return ""
    return (
        "a fixed source port is the client's own: a router on the way that translates addresses may have put another "
        "in its place, and from here nobody can tell"
    )


def _as_far_as_seen(finding: Finding, backend: str) -> Finding:
    """Say of an answer about the port that it holds for the client's own; one that found a difference needs no more."""
    if finding.about != "Source port" or finding.reading not in _PORT_CAVEAT or not port_caveat(backend):
        return finding
    statement = f"{finding.statement.rstrip('.')}; {port_caveat(backend)}."
    return replace(finding, statement=statement)


_PORT_CAVEAT = ("does not decide", "order")


# -- the questions -----------------------------------------------------------------------------------------


def _order(seen: Pattern, judged: Verdicts) -> Finding:
    said = {
        "turns": "Asked by name, the instances take turns: the order is more regular than chance.",
        "clusters": "Asked by name, answers come in clusters: the same instance answers again and again.",
        "chance": "Asked by name, nobody takes turns that so many requests can tell: the order is what chance gives.",
    }
    if not judged["order"].measured:
        return _not_measured("Order", "whether anybody takes turns", judged["order"].numbers)
    reading = _order_reading(judged["order"])
    return Finding("Order", reading, said[reading], judged["order"].numbers)


def _evenness(seen: Pattern, judged: Verdicts) -> Finding:
    said = {
        "uneven": "Asked by name, the load is not even.",
        "even": "Asked by name, the load is even, as far as so many requests can tell.",
    }
    if not judged["even"].measured:
        return _not_measured("Evenness", "whether the load is even", judged["even"].numbers)
    reading = "uneven" if judged["even"].found else "even"
    counts = _tally(seen.select(instances=BASE, through=NAME))
    return Finding("Evenness", reading, said[reading], _joined([counts, judged["even"].numbers]))


def _load(seen: Pattern, judged: Verdicts) -> Finding:
    tests = {"by name": judged["load"], "through one address": judged["within-load"]}
    said = {
        "matters": "How many ask at once changes whom a node chooses.",
        "matters by name": "How many ask at once changes who answers by name, but not whom a node chooses.",
        "does not matter": "How many ask at once changes nothing that so many requests can tell.",
    }
    numbers = _joined([f"{how}: {test.numbers}" for how, test in tests.items()])
    if not any(test.measured for test in tests.values()):
        return _not_measured("Concurrency", "whether it matters how many ask at once", numbers)
    by_name = "matters by name" if judged["load"].found else "does not matter"
    reading = "matters" if judged["within-load"].found else by_name
    return Finding("Concurrency", reading, said[reading], numbers)


def _dns(seen: Pattern, judged: Verdicts) -> Finding:
    named = seen.select(instances=BASE, through=NAME)
    used = Counter(sample.address for arm in named for sample in arm.samples)
    if not used:
        return _not_measured("DNS", "which address a client uses", "nothing was asked by name")
    numbers = f"addresses used by name: {_counted(used)}"
    if len(used) < 2 and not judged["dns-even"].found:
        return _not_measured("DNS", "which address a client uses", f"{numbers}; {judged['dns-even'].numbers}")
    if len(used) < 2:
        said = "The client always uses the same address, though there is one in each zone."
        return Finding("DNS", "one", said, _joined([numbers, judged["dns-even"].numbers]))
    reading = _order_reading(judged["dns-order"])
    if reading == "chance" and judged["dns-even"].found:
        reading = "uneven"
    says = {
        "turns": "The addresses of the zones come in turn.",
        "clusters": "The addresses of the zones come in clusters.",
        "uneven": "One zone's address is used more often than the other's.",
        "chance": "The address that a client finds first is what chance gives.",
    }
    tests = [judged[key].numbers for key in ("dns-order", "dns-even")]
    return Finding("DNS", reading, says[reading], _joined([numbers, *tests]))


def _address(seen: Pattern, judged: Verdicts) -> Finding:
    arms = [arm for arm in seen.arms if not arm.setting.cross_zone and arm.setting.instances >= BASE]
    behind = address_by_responder(seen.select(instances=BASE))
    crossed, answers = sum(map(crossings, arms)), sum(len(arm.responders) for arm in arms)
    numbers = _joined([
        f"{answers - crossed} of {answers} answers came from the zone of the address used",
        "; ".join(f"{address}: {_counted(counts) or 'nobody'}" for address, counts in behind.items()),
        judged["address"].numbers,
    ])  # fmt: skip
    if not judged["address"].measured and len({bool(sum(counts.values())) for counts in behind.values()}) == 2:
        said = "The address that is used decides whether there is an answer at all."
        return Finding("Address", "answer or none", said, numbers)
    if not (crossed or judged["address"].found):
        return _not_measured("Address", "whether the address used decides who answers", numbers)
    reading = "decides" if not crossed else "matters" if judged["address"].found else "does not matter"
    says = {
        "decides": "The address that is used decides the zone: an instance of another zone never answers.",
        "matters": "The address that is used makes a difference, but instances of other zones answer too.",
        "does not matter": "The address that is used does not matter: instances of both zones answer behind each.",
    }
    return Finding("Address", reading, says[reading], numbers)


def _within(seen: Pattern, judged: Verdicts) -> Finding:
    arms = shared(seen)
    even, order = judged["within-even"], judged["within-order"]
    numbers = _joined([_tally(arms), even.numbers, order.numbers])
    if not (order.measured or even.found):
        return _not_measured("Choice", "how a node chooses among several instances", even.numbers)
    if len({who for arm in arms for who in arm.responders}) < 2:
        said = "Through one address only one of the instances behind it ever answers."
        return Finding("Choice", "one", said, numbers)
    reading = _order_reading(order)
    if reading == "chance":
        reading = "uneven" if even.found else "even"
    says = {
        "turns": "Through one address, the instances behind it take turns.",
        "clusters": "Through one address, the instances behind it answer in clusters.",
        "uneven": "Through one address, the instances behind it answer in no order, but one is preferred.",
        "even": "Through one address, the instances behind it answer equally often and in no order.",
    }
    return Finding("Choice", reading, says[reading], numbers)


def _port(seen: Pattern, judged: Verdicts) -> Finding:
    arms, port, order = shared(seen, fixed_port=True), judged["port"], judged["port-order"]
    numbers = _joined([_tally(arms), port.numbers])
    if not port.measured:
        return _not_measured("Source port", "whether the source port matters", port.numbers)
    if port.found:
        fixed = len({who for arm in arms for who in arm.responders}) == 1
        said = "The source port decides who answers: the same port always reaches the same instance."
        other = "The source port matters: from one port the shares are others than from many."
        return Finding("Source port", "decides" if fixed else "matters", said if fixed else other, numbers)
    if order.found:
        said = "The source port alone does not decide; from one port, too, the order is not what chance gives."
        return Finding("Source port", "order", said, _joined([numbers, order.numbers]))
    said = "The source port alone does not decide: from one port the answers vary just as from many."
    return Finding("Source port", "does not decide", said, _joined([numbers, order.numbers]))


def _sizes(seen: Pattern, judged: Verdicts) -> Finding:
    named = [arm for arm in seen.arms if arm.through == NAME and not arm.setting.cross_zone and arm.at_once == 1]
    if not named:
        return _not_measured("Size", "what the number of instances changes", "nothing was asked by name")
    told = [f"{situation(arm.setting)}: {len({*arm.responders})} answered" for arm in _by_size(named)]
    counts = _tally(seen.select(instances=LARGER, through=NAME))
    numbers = _joined([", ".join(told), counts, judged["larger-even"].numbers])
    if any(len({*arm.responders}) < arm.setting.instances for arm in named):
        if not (judged["even"].found or judged["larger-even"].found):
            return _not_measured("Size", "what the number of instances changes", numbers)
        return Finding("Size", "some", "Not every instance that is called healthy answers by name.", numbers)
    if judged["larger-even"].found and not judged["larger-fit"].found:
        said = "Every instance answers, but by zone: each zone gets its share, and its instances divide that."
        return Finding("Size", "by zone", said, _joined([numbers, f"within zones: {judged['larger-fit'].numbers}"]))
    if judged["larger-even"].found:
        return Finding("Size", "uneven", "Every instance answers, but with more instances the load is uneven.", numbers)
    return Finding("Size", "all", "Every instance answers, and none is seen to be preferred.", numbers)


def _empty_zone(seen: Pattern, judged: Verdicts) -> Finding:
    arms = [arm for arm in seen.arms if is_empty(arm)]
    asked, answered = sum(len(arm.samples) for arm in arms), sum(len(arm.responders) for arm in arms)
    if not asked:
        return _not_measured("Empty zone", "what the address of a zone without an instance does", "none was asked")
    numbers = f"{answered} of {asked} requests were answered ({_failures(arms) or 'no failure'})"
    if answered:
        said = "The address of a zone without an instance is answered all the same."
        return Finding("Empty zone", "answers", said, numbers)
    said = "Nobody answers through the address of a zone that has no instance."
    return Finding("Empty zone", "silent", said, numbers)


def _cross_zone(seen: Pattern, judged: Verdicts) -> Finding:
    arms = [arm for arm in seen.select(instances=BASE, cross_zone=True) if arm.through != NAME]
    behind = address_by_responder(arms)
    crossed, answers = sum(map(crossings, arms)), sum(len(arm.responders) for arm in arms)
    one = len({who for arm in arms for who in arm.responders}) < 2
    if not (judged["cross-even"].found if one else crossed or judged["cross-address"].found):
        return _not_measured("Cross-zone", "what cross-zone balancing changes", judged["cross-address"].numbers)
    tests = [judged[key].numbers for key in ("cross-address", "cross-even", "cross-order")]
    where = "; ".join(f"{address}: {_counted(counts) or 'nobody'}" for address, counts in behind.items())
    numbers = _joined([f"{crossed} of {answers} answers came from the other zone", where, *tests])
    reading = "one" if crossed and one else _cross_reading(crossed, judged)
    return Finding("Cross-zone", reading, _CROSS_SAYS[reading], numbers)


_CROSS_SAYS = {
    "one": "With cross-zone balancing on, only one instance answers, now through the other zone's address too.",
    "no effect": "With cross-zone balancing on, still only the zone of the address used answers.",
    "still matters": "With cross-zone balancing on, each address reaches both zones, but it still matters.",
    "turns": "With cross-zone balancing on, each address reaches both zones, and they take turns.",
    "clusters": "With cross-zone balancing on, each address reaches both zones, in clusters.",
    "uneven": "With cross-zone balancing on, each address reaches both zones, but one instance is preferred.",
    "even": "With cross-zone balancing on, each address reaches both zones, evenly: the address no longer matters.",
}


def _cross_reading(crossed: int, judged: Verdicts) -> str:
    if not crossed:
        return "no effect"
    if judged["cross-address"].found:
        return "still matters"
    order = _order_reading(judged["cross-order"])
    if order != "chance":
        return order
    return "uneven" if judged["cross-even"].found else "even"


def _answered(seen: Pattern, judged: Verdicts) -> Finding:
    asked, failed = len(seen.samples), sum(not sample.answered for sample in seen.samples)
    if not asked:
        return _not_measured("Answers", "whether requests are answered", "nothing was asked")
    answering = {sample.responder for sample in seen.samples}
    silent = [it for it in seen.replicas if it.private_address not in answering]
    fair = [arm for arm in seen.arms if not is_empty(arm)]
    names = ", ".join(f"{it.instance_id} in {it.zone} ({it.private_address})" for it in silent)
    numbers = _joined([f"{failed} of {asked} requests got no answer", _failures(fair), names and f"never: {names}"])
    if silent and failed:
        said = "An instance that the balancer calls healthy never answers: what is sent there is lost."
        return Finding("Answers", "one is silent", said, numbers)
    if failed:
        return Finding("Answers", "some fail", "Not every request is answered.", numbers)
    return Finding("Answers", "all", "Every request is answered.", numbers)


QUESTIONS: Sequence[Callable[[Pattern, Verdicts], Finding]] = (
    _answered,
    _order,
    _evenness,
    _load,
    _dns,
    _address,
    _within,
    _port,
    _sizes,
    _empty_zone,
    _cross_zone,
)


# -- the mechanism -----------------------------------------------------------------------------------------

_ZONE_RULES: Mapping[str, str | Mapping[str, str]] = {
    "decides": {
        "chance": "DNS picks the zone, in no order",
        "turns": "DNS picks the zone, and gives the zones in turn",
        "clusters": "DNS picks the zone, and keeps to one for a while",
        "uneven": "DNS picks the zone, and prefers one",
        "one": "the address picks the zone, and this client keeps to one address: what DNS offers is not used",
        NOT_MEASURED: "the address picks the zone",
    },
    "answer or none": "the zone that DNS picks decides whether there is an answer at all",
    "matters": "the zone of the address has some influence, and no more",
    "does not matter": "the zone is not picked at all: whichever address DNS gives, every instance is within reach, as "
    "with cross-zone balancing on",
    NOT_MEASURED: "",
}
_CHOICE_RULES = {
    "hash": "the node picks as a hash of the whole flow does: evenly, without turns, anew for each connection",
    "even": "the node picks evenly and without turns",
    "uneven": "the node picks in no order, but prefers one",
    "turns": "the node takes turns (round robin)",
    "clusters": "the node keeps to one instance for a while",
    "one": "only one instance ever answers",
}


def _mechanism(found: Mapping[str, Finding]) -> Finding:
    """Put the mechanism together from the findings on the address, DNS, the choice, the port and the load."""
    rests_on = [found[about] for about in ("Address", "DNS", "Choice", "Source port", "Concurrency")]
    zone, choice = _zone_part(found), _choice_part(found)
    numbers = _joined([f"{one.about} ({one.reading}): {one.because.partition('; ')[0]}" for one in rests_on])
    words = [part for part in (zone, choice) if part]
    if not words:
        return _not_measured("Mechanism", "what decides", numbers)
    between = "; of those within reach, " if found["Address"].reading == "does not matter" else "; within it, "
    statement = between.join(words) if choice else f"{zone}; how a node picks within it was not measured"
    reading = f"{_zone_word(found)}/{_choice_word(found)}"
    return Finding("Mechanism", reading, f"{statement[0].upper()}{statement[1:]}.", numbers)


def _zone_part(found: Mapping[str, Finding]) -> str:
    rule = _ZONE_RULES[found["Address"].reading]
    return rule if isinstance(rule, str) else rule[found["DNS"].reading]


def _choice_part(found: Mapping[str, Finding]) -> str:
    choice, port = found["Choice"].reading, found["Source port"].reading
    if choice == NOT_MEASURED:
        return ""
    if port == "decides":
        return "the node picks by addresses and ports alone: the same port always reaches the same instance"
    loaded = ", and load changes its choice" if found["Concurrency"].reading == "matters" else ""
    by_port = ", and the source port changes its choice" if port == "matters" else ""
    whole_flow = choice == "even" and port == "does not decide" and not (loaded or by_port)
    return f"{_CHOICE_RULES['hash' if whole_flow else choice]}{loaded}{by_port}"


def _zone_word(found: Mapping[str, Finding]) -> str:
    address = found["Address"].reading
    return f"zone by {found['DNS'].reading}" if address == "decides" else f"zone {address}"


def _choice_word(found: Mapping[str, Finding]) -> str:
    marks = [found["Choice"].reading]
    marks += ["port"] if found["Source port"].reading in ("decides", "matters") else []
    marks += ["load"] if found["Concurrency"].reading == "matters" else []
    return " ".join(marks)


# -- words and numbers -------------------------------------------------------------------------------------


def _order_reading(order: Verdict) -> str:
    if not order.found or order.statistic is None:
        return "chance"
    return "turns" if order.statistic > 0 else "clusters"


def _not_measured(about: str, what: str, why: str) -> Finding:
    return Finding(about, NOT_MEASURED, f"Not measured: {what}.", why)


def _tally(arms: Sequence[Arm]) -> str:
    """Count the answers of everyone who might have answered, nought included."""
    everyone = {who: 0 for arm in arms for who in candidates(arm)}
    return _counted(Counter(everyone | Counter(who for arm in arms for who in arm.responders)))


def _failures(arms: Sequence[Arm]) -> str:
    """Count the ways in which requests failed, by the address used."""
    ways = Counter(
        f"{sample.failure} through {sample.address}" for arm in arms for sample in arm.samples if sample.failure
    )
    return ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))


def _by_size(arms: Sequence[Arm]) -> list[Arm]:
    return sorted(arms, key=lambda arm: arm.setting.instances)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _joined(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)
