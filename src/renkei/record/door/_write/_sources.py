"""Sources and their documents."""

from django.utils import timezone

from renkei.base import storage
from renkei.base.models import User
from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.door._write._change import (
    LONGEST_LANGUAGE,
    LONGEST_LINE,
    LONGEST_NOTE,
    TakenError,
    change,
    find,
    in_both,
    known_code,
    maybe_in_both,
    new_slug,
    one_line,
    save,
)
from renkei.record.models import (
    Lineage,
    Source,
    index,
    source_text,
)


def add_source(
    *,
    author: User | None,
    reason: str,
    title_en: str,
    title_ja: str,
    content: bytes,
    reliability: str,
    reliability_reason_en: str,
    reliability_reason_ja: str,
    language: str = "en",
    publisher_en: str = "",
    publisher_ja: str = "",
    published: str = "",
    address: str = "",
    doi: str = "",
    same_evidence_as: str = "",
    slug: str = "",
) -> Source:
    """Add a source document and keep its text on this node.

    Args:
        content: the document, UTF-8 text.
        same_evidence_as: a source of the same line of evidence; empty for a line of its own.
    """
    title = in_both("title", title_en, title_ja)
    publisher = maybe_in_both("publisher", publisher_en, publisher_ja)
    why = in_both(
        "reliability_reason", reliability_reason_en, reliability_reason_ja, longest=LONGEST_NOTE
    )
    tongue = engine.check_text(language, what="language", longest=LONGEST_LANGUAGE)
    text = engine.read(content)
    day = engine.partial_date(published.strip()).text if published.strip() else ""
    where = one_line("address", address, longest=LONGEST_LINE)
    identifier = engine.check_identifier("publication", doi) if doi.strip() else ""
    with change(author=author, reason=reason) as edit:
        digest = engine.digest(content)
        known = Source.objects.filter(sha256=digest).first()
        if known is not None:
            raise TakenError(
                gettext_noop("this document is source {slug} already"), slug=known.slug
            )
        name = new_slug(Source, "s", slug)
        if same_evidence_as:
            lineage = find(Source, same_evidence_as).lineage
        else:
            lineage = Lineage.objects.create(slug=f"l-{name}", title_en=title[0], title_ja=title[1])
        row = Source(
            slug=name,
            title_en=title[0],
            title_ja=title[1],
            publisher_en=publisher[0],
            publisher_ja=publisher[1],
            language=tongue,
            published=day,
            sha256=digest,
            size=len(content),
            characters=len(text),
            address=where,
            doi=identifier,
            reliability=known_code("reliability", reliability),
            reliability_reason_en=why[0],
            reliability_reason_ja=why[1],
            lineage=lineage,
            attached_at=timezone.now(),
        )
        save(row)
        storage.put(content)
        index("source", {row.pk: source_text(row)})
        edit.log("add", "source", row.slug, after={"title_en": title[0], "sha256": digest})
    return row
