"""Downloads: the present selection and the tables behind charts, as CSV and JSON, streamed."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from renkei.base.access import PUBLIC, access
from renkei.base.files import table_file
from renkei.base.http import require_safe
from renkei.kit.errors import NotFoundError, gettext_noop
from renkei.record import door, engine
from renkei.record.models import Finding

COLUMNS = (
    "id",
    "class",
    "title_en",
    "title_ja",
    "domain",
    "kind",
    "status",
    "scope",
    "parties",
    "dated",
    "period",
    "amount",
    "currency",
    "amount_qualifier",
    "amount_nature",
    "amount_side",
    "amount_relation",
    "enters_sums",
    "source",
    "source_reliability",
    "part_of",
    "has_findings",
    "address",
)
CHUNK = 1_000

Row = dict[str, Any]


@access(PUBLIC)
@require_safe
def commitments_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """Give the present selection as a file."""
    selection = door.Selection.parse(request.GET.dict())
    host = f"{request.scheme}://{request.get_host()}"
    return table_file(
        f"commitments-{timezone.localdate().isoformat()}",
        form,
        COLUMNS,
        _commitments(selection, host),
        selection=selection.parameters,
        version=door.state().version,
    )


def _commitments(selection: door.Selection, host: str) -> Iterator[Row]:
    disputed = set(
        Finding.commitments.through.objects.values_list("commitment_id", flat=True).distinct()
    )
    rows = door.select(selection).values(
        "pk",
        "slug",
        "record_class",
        "title_en",
        "title_ja",
        "domain",
        "kind",
        "status",
        "scope",
        "parties",
        "dated",
        "period",
        "amount_minor",
        "amount_currency",
        "amount_qualifier",
        "amount_nature",
        "amount_side",
        "amount_relation",
        "is_counted",
        "source__slug",
        "source__reliability",
        "part_of__slug",
    )
    for row in rows.iterator(chunk_size=CHUNK):
        minor, currency = row["amount_minor"], row["amount_currency"]
        yield {
            **row,
            "id": row["slug"],
            "class": row["record_class"],
            "amount": None if minor is None else str(engine.from_minor(minor, currency)),
            "currency": currency,
            "enters_sums": bool(row["is_counted"]),
            "source": row["source__slug"],
            "source_reliability": row["source__reliability"],
            "part_of": row["part_of__slug"],
            "has_findings": row["pk"] in disputed,
            "address": host + reverse("record:commitment", args=[row["slug"]]),
        }


@access(PUBLIC)
@require_safe
def chart_file(_request: HttpRequest, name: str, form: str) -> HttpResponseBase:
    """Give the table behind a chart as a file."""
    chart = door.CHARTS.get(name)
    if chart is None:
        raise NotFoundError(gettext_noop("there is no chart {name!r}"), name=name)
    rows = chart.rows(timezone.localdate())
    return table_file(name, form, chart.columns, rows, chart=name, version=door.state().version)
