"""What the public pages read, as plain SQL: one statement for each kind of row on a page.

``{l}`` stands for the reader's language, ``{ids}`` for keys.
"""

from collections.abc import Collection
from typing import Any

from renkei.base.rows import ask, marks
from renkei.record import door
from renkei.record.models import language

TITLES = "SELECT slug, title_{l} AS title FROM record_source WHERE slug IN ({slugs})"
ELSEWHERE = {
    kind: f"SELECT slug, title_{{l}} AS title FROM record_{kind} WHERE id IN ({{ids}}) ORDER BY id"
    for kind in ("organisation", "source", "finding")
}
"""What a search shows beside commitments, by its kind."""

Row = Any  # of ``base.rows``: columns as attributes

COMMITMENT = """
SELECT c.id, c.slug, c.record_class, c.title_{l} AS title, c.note_{l} AS note, c.domain, c.kind,
  c.status, c.scope, c.parties, c.period, c.dated, c.amount_minor, c.amount_currency,
  c.amount_qualifier, c.amount_nature, c.is_lead, c.is_counted, c.source_id, c.cluster_id,
  a.slug AS agreement_slug, a.title_{l} AS agreement_title,
  w.slug AS whole_slug, w.title_{l} AS whole_title
FROM record_commitment c
LEFT JOIN record_agreement a ON a.id = c.agreement_id
LEFT JOIN record_commitment w ON w.id = c.part_of_id
WHERE c.slug = %s
"""
MEMBERS = """
SELECT id, slug, title_{l} AS title, is_lead, source_id FROM record_commitment
WHERE cluster_id = %s ORDER BY is_lead DESC, id
"""
CLAIMS = """
SELECT k.id, k.commitment_id, k.field, k.value, k.qualifier, k.source_id, k.passages, k.seen_on,
  k.is_published, k.reason, k.author_id, a.minor, a.currency, a.side, a.nature, a.stage, a.relation,
  a.rate, a.rate_on, a.converted_minor, a.converted_currency
FROM record_claim k LEFT JOIN record_amount a ON a.claim_id = k.id
WHERE k.commitment_id IN ({ids}) ORDER BY k.id
"""
CLAIMS_OF_SOURCE = """
SELECT k.field, k.value, k.qualifier, k.passages, k.is_published, a.minor, a.currency,
  c.slug AS commitment_slug, c.title_{l} AS commitment_title
FROM record_claim k JOIN record_commitment c ON c.id = k.commitment_id
LEFT JOIN record_amount a ON a.claim_id = k.id
WHERE k.source_id = %s ORDER BY k.id LIMIT %s
"""
SOURCES = """
SELECT s.id, s.slug, s.title_{l} AS title, s.language, s.reliability, s.sha256, s.attached_at,
  l.slug AS lineage
FROM record_source s JOIN record_lineage l ON l.id = s.lineage_id WHERE s.id IN ({ids})
"""
PARTICIPATIONS = """
SELECT p.role, p.start, p."end", o.slug, o.title_{l} AS title
FROM record_participation p JOIN record_organisation o ON o.id = p.organisation_id
WHERE p.commitment_id = %s ORDER BY p.id LIMIT %s
"""
PAID = """
SELECT d.minor, d.currency, d.side, d.nature, d.paid_on, d.evidence, d.is_current, d.corrects_id,
  o.slug AS recipient_slug, o.title_{l} AS recipient_title,
  s.slug AS source_slug, s.title_{l} AS source_title
FROM record_disbursement d LEFT JOIN record_organisation o ON o.id = d.recipient_id
LEFT JOIN record_source s ON s.id = d.source_id
WHERE d.commitment_id = %s ORDER BY d.paid_on DESC, d.id DESC LIMIT %s
"""
MILESTONES = """
SELECT title_{l} AS title, due, due_last, metric, target, state, evidence, evidence_address,
  assessor, assessed_on, source_id, start, "end"
FROM record_milestone WHERE commitment_id = %s ORDER BY due_last, id
"""
HISTORY = """
SELECT at, verb, field, reason, before, after, author_id FROM record_change
WHERE subject = %s AND slug = %s ORDER BY id DESC LIMIT %s
"""
ORGANISATION = """
SELECT id, slug, title_{l} AS title, title_en, title_ja, kind, country, aliases, ror
FROM record_organisation WHERE slug = %s
"""
ROLES = """
SELECT p.role, c.slug, c.title_{l} AS title, c.status, s.slug AS source_slug,
  s.title_{l} AS source_title
FROM record_participation p JOIN record_commitment c ON c.id = p.commitment_id
LEFT JOIN record_source s ON s.id = c.source_id
WHERE p.organisation_id = %s ORDER BY p.commitment_id DESC LIMIT %s
"""
RECEIVED = """
SELECT d.paid_on, d.minor, d.currency, d.nature, c.slug, c.title_{l} AS title
FROM record_disbursement d JOIN record_commitment c ON c.id = d.commitment_id
WHERE d.recipient_id = %s AND d.is_current ORDER BY d.paid_on DESC LIMIT %s
"""
FINDING = """
SELECT id, slug, title_{l} AS title, kind, severity, detectable, state, evidence,
  decision_{l} AS decision, suggestion_{l} AS suggestion, decided_by_id, decided_at
FROM record_finding WHERE slug = %s
"""
FINDINGS = """
SELECT id, slug, title_{l} AS title, kind, severity, state FROM record_finding WHERE id IN ({ids})
"""
HOW_MANY_FINDINGS = """
SELECT count(*) AS findings FROM (SELECT id FROM record_finding WHERE {where} LIMIT %s) AS counted
"""
WHICH_FINDINGS = "SELECT id FROM record_finding WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s"
SIDES = """
SELECT finding_id, source_id, start, "end", title_{l} AS title FROM record_findingside
WHERE finding_id IN ({ids}) ORDER BY finding_id, position
"""
TOUCHED = """
SELECT c.slug, c.title_{l} AS title, c.domain, c.status, c.amount_minor, c.amount_currency,
  c.amount_qualifier
FROM record_finding_commitments f JOIN record_commitment c ON c.id = f.commitment_id
WHERE f.finding_id = %s ORDER BY c.id
"""


def read(sql: str, *values: object, ids: Collection[int] = ()) -> list[Row]:
    """Return rows in the reader's language; none of no keys.

    Args:
        sql: one of the statements above.
        values: what it asks for before its keys.
        ids: the keys that stand for ``{ids}``.
    """
    if "{ids}" in sql and not ids:
        return []
    return ask(sql, [*values, *ids], l=language(), ids=marks(ids))


def one(model: type[Any], sql: str, slug: str) -> Row:
    """Return the row of that name.

    Raises:
        UnknownSubjectError: there is none.
    """
    rows = read(sql, slug) if slug.isascii() and slug.isprintable() else []
    return rows[0] if rows else door.find(model, slug)
