"""Organisations and their roles in commitments."""

from collections.abc import Sequence

from renkei.base.models import User
from renkei.kit.errors import gettext_noop
from renkei.record import engine, tasks
from renkei.record.door._write._change import (
    InUseError,
    TakenError,
    change,
    check_fresh,
    count_up,
    find,
    in_both,
    known_code,
    new_slug,
    own_row,
    save,
)
from renkei.record.models import (
    MOST_BOUND,
    Commitment,
    Organisation,
    Participation,
    forget,
    index,
    organisation_text,
    reindex_commitments,
)


def add_organisation(
    *,
    author: User | None,
    reason: str,
    title_en: str,
    title_ja: str,
    kind: str,
    country: str = "",
    aliases: Sequence[str] = (),
    slug: str = "",
) -> Organisation:
    """Add an organisation."""
    title = in_both("title", title_en, title_ja)
    codes = engine.parties(country.replace("/", ","))
    with change(author=author, reason=reason) as edit:
        row = Organisation(
            slug=new_slug(Organisation, "o", slug),
            title_en=title[0],
            title_ja=title[1],
            kind=known_code("organisation", kind),
            country=codes.replace(",", "/"),
            aliases=[engine.check_text(alias, what="alias") for alias in aliases],
        )
        save(row)
        index("organisation", {row.pk: organisation_text(row)})
        edit.log("add", "organisation", row.slug, after={"title_en": title[0], "kind": kind})
    return row


def add_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    organisation: str,
    role: str,
    version: int | None = None,
) -> Participation:
    """Name an organisation's role in a commitment."""
    known_code("role", role)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
        body: Organisation = find(Organisation, organisation)
        if row.participations.filter(organisation=body, role=role).exists():
            raise _has_role(row, body)
        part = Participation(commitment=row, organisation=body, role=role)
        save(part)
        count_up(row)
        reindex_commitments([row.pk])
        edit.log("participate", "commitment", row.slug, after=_taking_part(part))
    return part


def edit_organisation(
    *,
    author: User | None,
    reason: str,
    organisation: str,
    title_en: str,
    title_ja: str,
    kind: str,
    country: str = "",
    aliases: Sequence[str] = (),
    version: int | None = None,
) -> Organisation:
    """Change an organisation's names, kind and country; commitments are found by the new names."""
    title = in_both("title", title_en, title_ja)
    codes = engine.parties(country.replace("/", ",")).replace(",", "/")
    others = [engine.check_text(alias, what="alias") for alias in aliases]
    with change(author=author, reason=reason) as edit:
        row: Organisation = find(Organisation, organisation)
        check_fresh(row, version)
        before = _described(row)
        row.title_en, row.title_ja = title
        row.kind, row.country, row.aliases = known_code("organisation", kind), codes, others
        row.version += 1
        save(row)
        index("organisation", {row.pk: organisation_text(row)})
        if any(before[name] != getattr(row, name) for name in ("title_en", "title_ja", "aliases")):
            keys = tasks.taken_part_in(row.pk)
            if len(keys) <= MOST_BOUND:
                reindex_commitments(keys)
            else:
                tasks.find_anew_later(row.pk)
        edit.log("edit", "organisation", row.slug, before=before, after=_described(row))
    return row


def remove_organisation(
    *, author: User | None, reason: str, organisation: str, version: int | None = None
) -> None:
    """Remove an organisation that nothing names; its history stays, and its name is not used again."""
    with change(author=author, reason=reason) as edit:
        row: Organisation = find(Organisation, organisation)
        check_fresh(row, version)
        roles, paid = row.participations.count(), row.received.count()
        if roles or paid:
            raise InUseError(
                gettext_noop(
                    "{slug} has {roles} roles in commitments and received {paid} disbursements: "
                    "only an organisation with none can be removed"
                ),
                slug=row.slug,
                roles=roles,
                paid=paid,
            )
        forget("organisation", row.pk)
        row.delete()
        edit.log("remove", "organisation", row.slug, before=_described(row))


def _described(row: Organisation) -> dict[str, object]:
    return {
        "title_en": row.title_en,
        "title_ja": row.title_ja,
        "kind": row.kind,
        "country": row.country,
        "aliases": row.aliases,
    }


def edit_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    participation: int,
    organisation: str,
    role: str,
    version: int | None = None,
) -> Participation:
    """Change who takes part, or as what; the passage that it rests on stays."""
    known_code("role", role)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
        mine = row.participations.select_related("organisation")
        part: Participation = own_row(mine, row, participation)
        body: Organisation = find(Organisation, organisation)
        others = row.participations.exclude(pk=part.pk)
        if others.filter(organisation=body, role=role).exists():
            raise _has_role(row, body)
        before = _taking_part(part)
        part.organisation, part.role = body, role
        save(part)
        count_up(row)
        reindex_commitments([row.pk])
        edit.log("edit role", "commitment", row.slug, before=before, after=_taking_part(part))
    return part


def remove_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    participation: int,
    version: int | None = None,
) -> None:
    """Take an organisation's role out of a commitment; the history keeps it."""
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
        mine = row.participations.select_related("organisation")
        part: Participation = own_row(mine, row, participation)
        before = _taking_part(part)
        part.delete()
        count_up(row)
        reindex_commitments([row.pk])
        edit.log("remove role", "commitment", row.slug, before=before)


def _taking_part(part: Participation) -> dict[str, object]:
    return {"organisation": part.organisation.slug, "role": part.role}


def _has_role(row: Commitment, body: Organisation) -> TakenError:
    return TakenError(
        gettext_noop("{organisation} has this role in {slug} already"),
        organisation=body.slug,
        slug=row.slug,
    )
