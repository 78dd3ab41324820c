"""The verdicts on single files, for a person: each rule's finding, the evidence, and what would change the answer."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from pinfold.cli.terminal import Line, Painted, Text, moment, table
from pinfold.domain.decision import Effect, Mode, Outcome, Verdict
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import NO_FEED, Evidence, Known, Unknown, field_names
from pinfold.domain.records import RecordState

if TYPE_CHECKING:
    from pinfold.usecases.judged_files import JudgedFile
    from pinfold.usecases.judged_project import JudgedProject

WORDS = {
    Effect.ALLOW: Painted("allowed", "green"),
    Effect.WARN: Painted("warned", "yellow"),
    Effect.QUARANTINE: Painted("quarantined", "yellow"),
    Effect.DENY: Painted("denied", "red"),
}
_OUTCOMES = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow"}
FILES_NAMED = 6
"""How many of the files that are judged alike are named."""


def telling(judged: "JudgedFile") -> Verdict | None:
    """Return the verdict that there is to tell of a file.

    What is only left open until somebody asks for it is none, nor is what holds of every file alike: that no advisory
    feed has been loaded is told once, above.
    """
    decision = judged.decision
    if decision.refused:
        return decision.deciding
    gravest = (one for one in decision.verdicts if one.counts is decision.effect is not Effect.ALLOW)
    return next((one for one in gravest if not one.finding.pending and not _holds_of_all(one)), None)


def wants_feed(judged: "JudgedFile") -> bool:
    """Tell whether a rule finds unknown what an advisory feed would tell."""
    return any(map(_holds_of_all, judged.decision.verdicts))


def word_of(judged: "JudgedFile") -> Painted:
    """Return the word for what becomes of a file."""
    return WORDS[judged.decision.effect if telling(judged) else Effect.ALLOW]


def marks(files: Iterable["JudgedFile"], besides: Verdict | None) -> list[str]:
    """Return what else there is to say of files: what is observed, warned of or waived, yanked or vanished."""
    found: dict[str, None] = {}
    for judged in files:
        found |= dict.fromkeys(_mark(verdict) for verdict in judged.decision.verdicts if verdict != besides)
        if judged.vanished:
            found["taken away by the upstream"] = None
        elif judged.file.yanked is not None:
            found[f"yanked: {judged.file.yanked}" if judged.file.yanked else "yanked"] = None
    return [mark for mark in found if mark]


def file_lines(project: "JudgedProject", files: Iterable["JudgedFile"]) -> Iterator[Line]:
    """Return everything about files, those that are judged alike together."""
    alike: dict[tuple[Verdict, ...], list[JudgedFile]] = {}
    for judged in files:
        alike.setdefault(judged.decision.verdicts, []).append(judged)
    for group in alike.values():
        yield ""
        yield from _names(group)
        for line in _details(project, group):
            yield ["  ", line] if isinstance(line, str | Painted) else ["  ", *line]


def _mark(verdict: Verdict) -> str:
    if verdict.waiver:
        return f"{verdict.rule} waived by {verdict.waiver}"
    if verdict.mode is Mode.OBSERVE and verdict.effect is not Effect.ALLOW:
        return f"{verdict.rule} observed: would {verdict.effect.label}"
    if verdict.counts is Effect.WARN and not verdict.finding.pending and not _holds_of_all(verdict):
        return f"{verdict.rule} warns: {verdict.finding.reason}"
    return ""


def _holds_of_all(verdict: Verdict) -> bool:
    return verdict.finding.outcome is Outcome.UNKNOWN and verdict.finding.reason == NO_FEED.why


def _names(group: Sequence["JudgedFile"]) -> Iterator[Line]:
    for judged in group[:FILES_NAMED]:
        yield [Painted(judged.file.filename, bold=True), "  ", word_of(judged)]
    if len(group) > FILES_NAMED:
        yield f"and {len(group) - FILES_NAMED} more files, judged alike"


def _details(project: "JudgedProject", group: Sequence["JudgedFile"]) -> Iterator[Line]:
    judged, now = group[0], project.judged_at
    if judged.refused:
        yield project.refusal_of(judged)
    yield ""
    yield from table(["RULE", "FINDING", "EFFECT", "WHY"], [_row(verdict) for verdict in judged.decision.verdicts])
    yield ""
    if len(group) == 1:
        yield from _evidence(judged.evidence)
    else:
        yield "The evidence of one file: pinfold explain FILENAME"
    if ways := list(_ways(project.name, judged, now)):
        yield ""
        yield Painted("What would change this:", bold=True)
        yield from ways
    yield ""
    yield Painted(
        f"reference {judged.reference()}, policy {judged.decision.policy_digest[:12]}, "
        f"evidence {judged.evidence.digest()[:12]}",
        dim=True,
    )


def _row(verdict: Verdict) -> list[Text]:
    finding = verdict.finding
    effect = WORDS[verdict.effect] if verdict.effect is not Effect.ALLOW else "-"
    asides = ["observed only"] * (verdict.mode is Mode.OBSERVE) + [f"waived by {verdict.waiver}"] * bool(verdict.waiver)
    why = "; ".join(part for part in (finding.reason, *asides) if part)
    return [verdict.rule, Painted(finding.outcome.value, _OUTCOMES[finding.outcome]), effect, why]


def _evidence(evidence: Evidence) -> Iterator[Line]:
    file = evidence.file
    told: dict[str, object] = {
        "sha256": file.sha256,
        "size": file.size,
        "upload_time": file.upload_time,
        "yanked": file.yanked,
    }
    told |= {name: item for name, item in _items(evidence) or () if name != "file"}
    width = max(map(len, told))
    yield Painted("Evidence:", bold=True)
    for name, value in told.items():
        yield f"{_words(name):{width}}  {_told(value)}"


def _told(value: object) -> str:
    """Return an item of evidence in words, whatever its shape: rules to come bring their own."""
    match value:
        case Known(inner):
            return _told(inner)
        case Unknown(why):
            return f"unknown: {why}"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case datetime():
            return f"{moment(value)} UTC"
        case tuple() | list() | frozenset():
            return "; ".join(map(_told, value)) or "none"
        case _ if (items := _items(value)) is not None and "__str__" not in vars(type(value)):
            told = ", ".join(f"{_words(name)} {_told(item)}" for name, item in items if item is not None)
            return told or ("none" if items else type(value).__name__.lower())
        case _:
            return "none" if value is None else str(value)


def _items(value: object) -> list[tuple[str, object]] | None:
    """Return the fields of a dataclass or a struct; None for anything else."""
    kind: Any = type(value)
    names = field_names(kind)
    return None if names is None else [(name, getattr(value, name)) for name in names]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _ways(project: str, judged: "JudgedFile", now: datetime) -> Iterator[Line]:
    """Return what to wait for, or to do, about each verdict that refuses the file; all of them have to change."""
    from pinfold.policy.rules.quarantined import Quarantined

    decision, file, records = judged.decision, judged.file, judged.evidence.records
    target = shlex.quote(f"{project}=={file.version}" if file.version else file.filename)
    refusing = [verdict for verdict in decision.verdicts if verdict.counts.refuses]
    for verdict in refusing:
        ways = [f"pinfold waiver add {target} --rule {verdict.rule} --reason TEXT --expires 14d"]
        if verdict.rule == Quarantined.id and all(record.state is RecordState.HELD for record in records):
            ways = [f"pinfold quarantine release {record.id} --reason TEXT" for record in records]
        if (change := verdict.finding.changes_at) is not None:
            ways.insert(0, f"wait until {moment(change)} UTC, {short_duration(change - now)} from now")
        yield f"{verdict.rule}: {', or '.join(ways)}"
    if not refusing and decision.changes_at is not None:
        yield f"time: the answer may be another from {moment(decision.changes_at)} UTC on"
