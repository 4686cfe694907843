"""Records as data files: the one that the project ships, and the whole of this node's."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from renkei.base import storage
from renkei.base.models import User
from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.door import _sums
from renkei.record.door._write import (
    Money,
    change,
    checked_money,
    find,
    project,
)
from renkei.record.models import (
    Agreement,
    Amount,
    Claim,
    Cluster,
    Commitment,
    Disbursement,
    Finding,
    FindingSide,
    Lineage,
    Lookalike,
    Milestone,
    Organisation,
    Outcome,
    Participation,
    Source,
    finding_text,
    index,
    organisation_text,
    reindex_commitments,
    source_text,
)

Item = dict[str, Any]


class NotEmptyError(engine.BadPackageError):
    """A whole record is loaded into an empty one alone."""

    code = "record.not_empty"
    status = 409


class UnknownDocumentError(engine.BadDocumentError):
    """No source of the record has these bytes."""

    code = "record.unknown_document"


def ensure_shipped() -> int:
    """Load the record that the project ships if this node has none; return its commitments."""
    if not Commitment.objects.exists():
        with resources.as_file(resources.files("renkei.record") / "data") as folder:
            load(folder, reason="founding record of the project")
    return Commitment.objects.count()


def load(folder: Path, *, reason: str, author: User | None = None) -> int:
    """Load the record in ``folder`` into an empty node: all of it or nothing.

    Returns:
        How many commitments it holds.

    Raises:
        NotEmptyError: the node has a record.
        BadPackageError, and what the engine says of values: the message names the item.
    """
    package = engine.read_package(folder)
    with change(author=author, reason=reason) as edit:
        if Commitment.objects.exists() or Source.objects.exists():
            raise NotEmptyError(
                gettext_noop(
                    "the node has a record already; one is loaded into an empty node alone"
                )
            )
        _load_sources(package)
        bodies = [
            Organisation(
                slug=item["id"],
                **_both("title", item["name"]),
                kind=item["kind"],
                country=item["country"] or "",
                aliases=item["aliases"],
            )
            for item in package["organisations"]
        ]
        for row in bodies:
            row.full_clean()
        Organisation.objects.bulk_create(bodies)
        _load_commitments(package, author)
        _load_findings(package["findings"])
        _index_all()
        _sums.rebuild()
        for slug in Commitment.objects.order_by("pk").values_list("slug", flat=True):
            edit.log("load", "commitment", slug)
    return len(package["commitments"])


def _both(name: str, text: dict[str, str] | None) -> dict[str, str]:
    given = text or {"en": "", "ja": ""}
    return {f"{name}_en": given["en"], f"{name}_ja": given["ja"]}


def _load_sources(package: dict[str, list[Item]]) -> None:
    for item in package["lineages"]:
        Lineage.objects.create(
            slug=item["id"], **_both("title", item["title"]), **_both("reason", item["reason"])
        )
    for item in package["sources"]:
        row = Source(
            slug=item["id"],
            **_both("title", item["title"]),
            **_both("publisher", item["publisher"]),
            **_both("genre", item["genre"]),
            language=item["language"],
            published=engine.partial_date(item["published"]).text if item["published"] else "",
            **_both("published_note", item["published_note"]),
            sha256=item["sha256"],
            size=item["bytes"],
            characters=item["chars"],
            original_file=item["original_file"] or "",
            address=item["address"] or "",
            doi=item["doi"] or "",
            reliability=item["reliability"],
            **_both("reliability_reason", item["reliability_reason"]),
            lineage=find(Lineage, item["lineage"]),
            zones=item["zones"],
            money_mentions=item["money_mentions"],
        )
        row.full_clean()
        row.save()


def _load_commitments(package: dict[str, list[Item]], author: User | None) -> None:
    sources = {row.slug: row for row in Source.objects.all()}
    bodies = {row.slug: row for row in Organisation.objects.all()}
    rows: dict[str, Commitment] = {}
    for item in package["commitments"]:
        row = Commitment(
            slug=item["id"],
            record_class=item["class"],
            **_both("title", item["title"]),
            **_both("note", item["note"]),
            scope=item["scope"],
            source=_of(sources, item["source"]),
        )
        row.full_clean()
        row.save()
        rows[row.slug] = row
        _load_facts(row, item, sources, bodies, author)
    for item in package["commitments"]:
        if item["part_of"]:
            rows[item["id"]].part_of = _of(rows, item["part_of"])
    for item in package["clusters"]:
        cluster = Cluster.objects.create(slug=item["id"], **_both("title", item["title"]))
        for place, member in enumerate(item["members"]):
            row = _of(rows, member)
            row.cluster, row.is_lead = cluster, place == 0
        _of(rows, item["members"][0]).related.add(*(_of(rows, slug) for slug in item["related"]))
    for item in package["agreements"]:
        agreement = Agreement(
            slug=item["id"],
            **_both("title", item["title"]),
            kind=item["kind"],
            parties=engine.parties(",".join(item["parties"])),
            signed=engine.partial_date(item["signed"]).text if item["signed"] else "",
            binding=item["binding"],
            **_both("note", item["note"]),
        )
        agreement.full_clean()
        agreement.save()
        for slug in item["commitments"]:
            _of(rows, slug).agreement = agreement
    for row in rows.values():
        project(row)
    for item in package["lookalikes"]:
        lookalike = Lookalike.objects.create(slug=item["id"], **_both("title", item["reason"]))
        lookalike.members.set([_of(rows, slug) for slug in item["members"]])


def _of(known: dict[str, Any], slug: str | None) -> Any:
    if slug is None:
        return None
    if slug not in known:
        raise engine.BadPackageError(
            gettext_noop("the record names {slug!r}, which it does not hold"), slug=slug
        )
    return known[slug]


def _load_facts(
    row: Commitment,
    item: Item,
    sources: dict[str, Source],
    bodies: dict[str, Organisation],
    author: User | None,
) -> None:
    for given in item["claims"]:
        source = _of(sources, given["source"])
        field = engine.check_field(given["field"])
        money = given.get("money")
        claim = Claim(
            commitment=row,
            field=field,
            value=given["value"] if money else engine.check_value(field, given["value"]),
            qualifier=given["qualifier"],
            source=source,
            passages=_passages(given["passages"], source),
            seen_on=date.fromisoformat(given["seen_on"]),
            is_published=given["published"],
            author=author,
            reason=given.get("reason", ""),
        )
        claim.save()
        if money:
            Amount.objects.create(
                claim=claim, commitment=row, **checked_money(given["value"], _money(money), field)
            )
    Participation.objects.bulk_create(
        Participation(
            commitment=row,
            organisation=_of(bodies, part["organisation"]),
            role=part["role"],
            start=part["passage"]["start"] if part["passage"] else None,
            end=part["passage"]["end"] if part["passage"] else None,
        )
        for part in item["organisations"]
    )
    for given in item["milestones"]:
        due = engine.partial_date(given["due"])
        assessed = given.get("assessed_on")
        Milestone.objects.create(
            commitment=row,
            slug=given["id"],
            **_both("title", given["title"]),
            due=due.text,
            due_last=due.last,
            metric=given["metric"] or "",
            target=given["target"] or "",
            state=given.get("status", "open"),
            evidence=given.get("evidence", ""),
            evidence_address=given.get("evidence_address", ""),
            assessor=given.get("assessor", ""),
            assessed_on=date.fromisoformat(assessed) if assessed else None,
            source=_of(sources, given["source"]),
            start=given["passage"]["start"] if given["passage"] else None,
            end=given["passage"]["end"] if given["passage"] else None,
        )
    _load_paid(row, item["disbursements"], sources, bodies)
    for given in item["outcomes"]:
        Outcome.objects.create(
            commitment=row,
            kind=given["kind"],
            **_both("title", given["title"]),
            identifier=engine.check_identifier(given["kind"], given["identifier"]),
            address=given.get("address", ""),
            published_on=given.get("published_on") or "",
        )


def _load_paid(
    row: Commitment,
    items: list[Item],
    sources: dict[str, Source],
    bodies: dict[str, Organisation],
) -> None:
    paid: dict[str, Disbursement] = {}
    for given in items:
        old = _of(paid, given.get("corrects"))
        if old is not None:
            Disbursement.objects.filter(pk=old.pk).update(is_current=False)
        paid[given["id"]] = Disbursement.objects.create(
            commitment=row,
            minor=engine.to_minor(given["value"], given["currency"]),
            currency=given["currency"],
            side=engine.side(given["side"]),
            nature=given["nature"],
            paid_on=date.fromisoformat(given["paid_on"]),
            recipient=_of(bodies, given.get("recipient")),
            source=_of(sources, given.get("source")),
            evidence=given.get("evidence", ""),
            corrects=old,
        )


def _money(given: Item) -> Money:
    conversion = given["conversion"] or {}
    return Money(
        currency=given["currency"],
        side=given["side"],
        nature=given["nature"],
        stage=given["status"],
        relation=given["relation"],
        converted=conversion.get("value", ""),
        converted_currency=conversion.get("currency", ""),
        rate=conversion.get("rate", ""),
        rate_on=date.fromisoformat(conversion["rate_on"]) if conversion else None,
    )


def _passages(given: list[Item], source: Source) -> list[tuple[int, int]]:
    return engine.check_passages(
        [(item["start"], item["end"]) for item in given], characters=source.characters
    )


def _load_findings(items: list[Item]) -> None:
    sources = {row.slug: row for row in Source.objects.all()}
    rows = {row.slug: row for row in Commitment.objects.all()}
    for item in items:
        decided = item.get("decision")
        finding = Finding(
            slug=item["id"],
            kind=item["type"],
            severity=item["severity"],
            detectable=item["detectable"],
            **_both("title", item["statement"]),
            **_both("suggestion", item["suggestion"]),
            evidence=item["evidence"],
            state="resolved" if decided else "open",
            **_both("decision", decided),
            decided_at=timezone.now() if decided else None,
        )
        finding.full_clean()
        finding.save()
        finding.commitments.set([_of(rows, slug) for slug in item["commitments"]])
        for place, side in enumerate(item["sides"]):
            source = _of(sources, side["source"])
            _passages([side], source)
            FindingSide.objects.create(
                finding=finding,
                position=place,
                source=source,
                start=side["start"],
                end=side["end"],
                **_both("title", side["says"]),
            )


def _index_all() -> None:
    reindex_commitments(Commitment.objects.values_list("pk", flat=True))
    index("organisation", {row.pk: organisation_text(row) for row in Organisation.objects.all()})
    index("source", {row.pk: source_text(row) for row in Source.objects.all()})
    index("finding", {row.pk: finding_text(row) for row in Finding.objects.all()})


# The documents themselves


def attach(content: bytes, *, author: User | None = None, reason: str, source: str = "") -> Source:
    """Keep a source's document on this node, so that pages can show its passages.

    Args:
        source: the source whose document this shall be; empty for whichever has these bytes.

    Raises:
        BadDocumentError: not a text.
        UnknownDocumentError: no source of the record has this SHA-256, or not ``source``; the
            message says which document is waited for.
    """
    engine.read(content)
    digest = engine.digest(content)
    with change(author=author, reason=reason) as edit:
        wanted: Source | None = find(Source, source) if source else None
        if wanted is not None and wanted.sha256 != digest:
            raise UnknownDocumentError(
                gettext_noop(
                    "this is not the document of {slug}: its SHA-256 is {digest}, expected {sha256}"
                ),
                slug=wanted.slug,
                digest=digest,
                sha256=wanted.sha256,
            )
        row = Source.objects.filter(sha256=digest).first()
        if row is None:
            waiting = Source.objects.filter(attached_at=None).order_by("pk")[:20]
            raise UnknownDocumentError(
                gettext_noop(
                    "no source of the record has SHA-256 {digest} ({size} bytes); documents it waits "
                    "for: {waiting}"
                ),
                digest=digest,
                size=len(content),
                waiting="; ".join(
                    f"{source.slug} {source.sha256[:16]}… ({source.size} bytes)"
                    for source in waiting
                )
                or "-",
            )
        storage.put(content)
        if row.attached_at is None:
            row.attached_at = timezone.now()
            row.version += 1
            row.save()
        edit.log("attach", "source", row.slug, after={"sha256": digest})
    return row


def text_of(source: Source) -> str | None:
    """Return the text of a source that was attached here, else ``None``."""
    if source.attached_at is None:
        return None
    content = storage.get(source.sha256)
    return None if content is None else engine.read(content)


# The whole record as data


def export(kind: str) -> Iterator[Item]:
    """Yield every item of one kind in the data files' format; ``load`` reads it back.

    Args:
        kind: one of ``engine.KINDS``.
    """
    return iter(_EXPORTS[kind]())


def _text(row: Any, name: str) -> Item | None:
    en, ja = getattr(row, f"{name}_en"), getattr(row, f"{name}_ja")
    return {"en": en, "ja": ja} if en or ja else None


def _lineages() -> Iterable[Item]:
    for row in Lineage.objects.order_by("pk"):
        yield {
            "id": row.slug,
            "title": _text(row, "title"),
            "reason": _text(row, "reason") or _text(row, "title"),
        }


def _sources() -> Iterable[Item]:
    for row in Source.objects.select_related("lineage").order_by("pk"):
        yield {
            "id": row.slug,
            "title": _text(row, "title"),
            "publisher": _text(row, "publisher"),
            "language": row.language,
            "genre": _text(row, "genre") or {"en": "document", "ja": "文書"},
            "published": row.published or None,
            "published_note": _text(row, "published_note"),
            "sha256": row.sha256,
            "bytes": row.size,
            "chars": row.characters,
            "original_file": row.original_file or None,
            "address": row.address or None,
            "doi": row.doi or None,
            "reliability": row.reliability,
            "reliability_reason": _text(row, "reliability_reason"),
            "lineage": row.lineage.slug,
            "zones": row.zones,
            "money_mentions": row.money_mentions,
        }


def _organisations() -> Iterable[Item]:
    for row in Organisation.objects.order_by("pk").iterator(chunk_size=2000):
        yield {
            "id": row.slug,
            "name": _text(row, "title"),
            "kind": row.kind,
            "country": row.country or None,
            "aliases": row.aliases,
        }


def _agreements() -> Iterable[Item]:
    for row in Agreement.objects.prefetch_related("commitments").order_by("pk"):
        yield {
            "id": row.slug,
            "title": _text(row, "title"),
            "kind": row.kind,
            "parties": [code for code in row.parties.split(",") if code],
            "signed": row.signed or None,
            "binding": row.binding,
            "commitments": sorted(item.slug for item in row.commitments.all()),
            "note": _text(row, "note"),
        }


def _clusters() -> Iterable[Item]:
    for row in Cluster.objects.order_by("pk"):
        members = list(row.members.order_by("-is_lead", "pk"))
        if members:
            yield {
                "id": row.slug,
                "title": _text(row, "title"),
                "members": [item.slug for item in members],
                "related": sorted(item.slug for item in members[0].related.all()),
            }


def _lookalikes() -> Iterable[Item]:
    for row in Lookalike.objects.prefetch_related("members").order_by("pk"):
        yield {
            "id": row.slug,
            "reason": _text(row, "title"),
            "members": sorted(item.slug for item in row.members.all()),
        }


def _place(start: int | None, end: int | None) -> Item | None:
    return None if start is None or end is None else {"start": start, "end": end}


def _commitments() -> Iterable[Item]:
    rows: QuerySet[Commitment] = (
        Commitment.objects.select_related("source", "part_of")
        .prefetch_related(
            "claims__source",
            "claims__amount",
            "participations__organisation",
            "milestones__source",
            "outcomes",
            "disbursements__recipient",
            "disbursements__source",
        )
        .order_by("pk")
    )
    for row in rows.iterator(chunk_size=1000):
        yield {
            "id": row.slug,
            "class": row.record_class,
            "title": _text(row, "title"),
            "scope": row.scope,
            "source": row.source.slug if row.source else None,
            "part_of": row.part_of.slug if row.part_of else None,
            "note": _text(row, "note"),
            "claims": [_claim(claim) for claim in row.claims.all()],
            "organisations": [
                {
                    "organisation": part.organisation.slug,
                    "role": part.role,
                    "passage": _place(part.start, part.end),
                }
                for part in row.participations.all()
            ],
            "milestones": [_milestone(item) for item in row.milestones.all()],
            "outcomes": [
                {
                    "id": f"o{item.pk}",
                    "kind": item.kind,
                    "title": _text(item, "title"),
                    "identifier": item.identifier,
                    "address": item.address,
                    "published_on": item.published_on or None,
                }
                for item in row.outcomes.all()
            ],
            "disbursements": [
                {
                    "id": f"d{item.pk}",
                    "side": item.side,
                    "nature": item.nature,
                    "currency": item.currency,
                    "value": str(item.value),
                    "paid_on": item.paid_on.isoformat(),
                    "recipient": item.recipient.slug if item.recipient else None,
                    "source": item.source.slug if item.source else None,
                    "evidence": item.evidence,
                    "corrects": f"d{item.corrects_id}" if item.corrects_id else None,
                }
                for item in sorted(row.disbursements.all(), key=lambda item: item.pk)
            ],
        }


def _claim(row: Claim) -> Item:
    item: Item = {
        "field": row.field,
        "value": row.value,
        "qualifier": row.qualifier,
        "source": row.source.slug,
        "passages": [{"start": start, "end": end} for start, end in row.passages],
        "seen_on": row.seen_on.isoformat(),
        "published": row.is_published,
    }
    if row.reason:
        item["reason"] = row.reason
    if row.is_money:
        money = row.amount
        item["money"] = {
            "currency": money.currency,
            "side": money.side,
            "nature": money.nature,
            "status": money.stage,
            "relation": money.relation,
            "conversion": None
            if money.rate_on is None
            else {
                "currency": money.converted_currency,
                "value": str(money.converted),
                "rate": money.rate,
                "rate_on": money.rate_on.isoformat(),
            },
        }
    return item


def _milestone(row: Milestone) -> Item:
    return {
        "id": row.slug,
        "title": _text(row, "title"),
        "due": row.due,
        "metric": row.metric or None,
        "target": row.target or None,
        "source": row.source.slug if row.source else None,
        "passage": _place(row.start, row.end),
        "status": row.state,
        "evidence": row.evidence,
        "evidence_address": row.evidence_address,
        "assessor": row.assessor,
        "assessed_on": row.assessed_on.isoformat() if row.assessed_on else None,
    }


def _findings() -> Iterable[Item]:
    sides: dict[int, list[FindingSide]] = defaultdict(list)
    for side in FindingSide.objects.select_related("source").order_by("finding", "position"):
        sides[side.finding_id].append(side)
    for row in Finding.objects.prefetch_related("commitments").order_by("pk"):
        yield {
            "id": row.slug,
            "type": row.kind,
            "severity": row.severity,
            "detectable": row.detectable,
            "statement": _text(row, "title"),
            "suggestion": _text(row, "suggestion") or _text(row, "title"),
            "sides": [
                {
                    "source": side.source.slug,
                    "start": side.start,
                    "end": side.end,
                    "says": _text(side, "title"),
                }
                for side in sides[row.pk]
            ],
            "evidence": row.evidence,
            "commitments": sorted(item.slug for item in row.commitments.all()),
            "decision": _text(row, "decision"),
            "decided_on": row.decided_at.date().isoformat() if row.decided_at else None,
        }


_EXPORTS = {
    "lineages": _lineages,
    "sources": _sources,
    "organisations": _organisations,
    "agreements": _agreements,
    "clusters": _clusters,
    "commitments": _commitments,
    "lookalikes": _lookalikes,
    "findings": _findings,
}
