"""Pages about agreements: their texts, drafts, what they decided, duties, and what left the country."""

import copy
from collections.abc import Iterator
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from renkei.base.access import access, roles_of
from renkei.base.files import table_file
from renkei.base.forms import refusals_on
from renkei.base.http import require_safe
from renkei.base.models import Role, User
from renkei.border import door, engine
from renkei.border.forms import AskForm, DraftForm, EvidenceForm, ReasonForm, as_json
from renkei.border.models import AgreementVersion, Decision, Obligation, OutgoingBytes
from renkei.border.templatetags.agreements import words
from renkei.kit.errors import NotFoundError, gettext_noop

ROWS = 50
MOST_COUNTED = 10_000
REPLAYED = 10_000  # as many as a page can replay while somebody waits
LEDGER = (
    "at",
    "digest",
    "size",
    "target",
    "recipient",
    "recipient_party",
    "channel",
    "agreement",
    "clause",
    "agreement_hash",
    "decision",
)
members = access(*Role.values)
overseers = access(Role.OFFICER, Role.BOARD)
officers = access(Role.OFFICER)
form_page = require_http_methods(["GET", "HEAD", "POST"])


class Bounded(Paginator):  # type: ignore[type-arg]  # generic for the checker alone
    """Pages of a list that may be long: nobody waits until millions are counted."""

    @cached_property
    def count(self) -> int:
        """Return how many rows are paged."""
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by()[:MOST_COUNTED].count()


def _page(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    return Bounded(rows, ROWS).get_page(request.GET.get("page"))


def _private(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return TemplateResponse(
        request, template, context, status=status, headers={"Cache-Control": "no-store"}
    )


def _sees_drafts(request: HttpRequest) -> bool:
    return bool(roles_of(request) & {Role.OFFICER, Role.BOARD})


@members
@require_safe
def agreements(request: HttpRequest) -> HttpResponse:
    """Show the agreements: in force, and for officers and the board also drafts."""
    shown = [AgreementVersion.State.IN_FORCE]
    if _sees_drafts(request):
        shown += [AgreementVersion.State.DRAFT, AgreementVersion.State.PROPOSED]
    rows = door.visible_versions(with_drafts=True).filter(state__in=shown)
    page = _page(request, rows.order_by("agreement__uid", "-number"))
    return _private(request, "border/agreements.html", {"page": page})


def _clauses(version: AgreementVersion) -> list[dict[str, Any]]:
    """Return the clauses with their rules in words and what this node does not know in them."""
    read = {clause.id: clause for clause in door.read_agreement(version).clauses}
    raws = {
        raw["@id"]: raw for kind in ("permission", "prohibition", "obligation")
        for raw in version.document.get(kind, [])
    }  # fmt: skip
    return [
        {
            "row": row,
            "unknown": read[row.name].unknown,
            "limits": []
            if read[row.name].unknown
            else [words(one) for one in raws[row.name].get("constraint", [])],
            "duties": [] if row.kind == "obligation" else read[row.name].duties,
        }
        for row in version.clauses.order_by("position")
    ]


def _asked_version(request: HttpRequest) -> int | None:
    text = request.GET.get("version", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:8]) <= 10**6:
        raise NotFoundError(gettext_noop("there is no version {text!r}"), text=text[:20])
    return int(text)


@members
@require_safe
def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one version: its clauses side by side in both languages, with hashes and what they allow."""
    drafts = _sees_drafts(request)
    version = door.find_version(slug, _asked_version(request), with_drafts=drafts)
    others = door.visible_versions(with_drafts=drafts).filter(agreement=version.agreement)
    return _private(
        request,
        "border/agreement.html",
        {
            "edition": version,  # the shell says ``version`` of the program
            "clauses": _clauses(version),
            "versions": others.order_by("-number", "-pk"),
            "document": as_json(version.document),
            "propose": ReasonForm(),
        },
    )


EXAMPLE: dict[str, Any] = {
    "@context": "https://w3id.org/dspace/2025/1/context.jsonld",
    "@type": "Agreement",
    "@id": "urn:renkei:agreement:example",
    "profile": engine.PROFILE,
    "version": 1,
    "title": {"en": "Example data for teaching", "ja": "教育用のデータの例"},
    "assigner": "JP",
    "assignee": "US",
    "target": "urn:jp:example",
    "timestamp": "2026-04-01T00:00:00Z",
    "permission": [
        {
            "@id": "1",
            "action": "read",
            "constraint": [
                {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": ["teaching"]},
                {
                    "leftOperand": "dateTime",
                    "operator": "lteq",
                    "rightOperand": "2027-03-31T00:00:00Z",
                },
            ],
            "text": {
                "en": "The data may be read for teaching until 31 March 2027.",
                "ja": "データは、2027年3月31日まで教育のために閲覧できる。",
            },
        }
    ],
}


def _start(slug: str) -> dict[str, Any]:
    """Return what a new draft begins with: the present text with the next number, or an example."""
    if not slug:
        return EXAMPLE
    version = door.find_version(slug)
    document = copy.deepcopy(version.document)
    if not version.is_draft:
        document["version"] = version.number + 1
    for kind in ("permission", "prohibition", "obligation"):
        for clause in document.get(kind, []):
            clause.pop("textHash", None)  # the hash of a text that is about to change
    return cast(dict[str, Any], document)


@officers
@form_page
def agreement_draft(request: HttpRequest, slug: str = "") -> HttpResponseBase:
    """Write a draft, new or as an amendment; go to it when it can be read."""
    about = door.find_version(slug) if slug else None
    if request.method != "POST":
        form = DraftForm(initial={"document": as_json(_start(slug))})
        context = {"form": form, "about": about}
        return _private(request, "border/agreement_draft.html", context)
    form = DraftForm(request.POST)
    status = 422
    if form.is_valid():
        with refusals_on(form) as refused:
            made = door.draft_agreement(
                form.cleaned_data["document"], author=cast(User, request.user)
            )
        if not refused:
            messages.success(request, _("The draft is kept on this node. Nothing is in force yet."))
            return redirect(_address(made))
        status = refused[0].status
    return _private(
        request, "border/agreement_draft.html", {"form": form, "about": about}, status=status
    )


def _address(version: AgreementVersion) -> str:
    from django.urls import reverse

    address = reverse("border:agreement", args=[version.agreement.slug])
    return f"{address}?version={version.number}"


def _draft(slug: str) -> AgreementVersion:
    rows = door.find_agreement(slug).versions.filter(state=AgreementVersion.State.DRAFT)
    found = rows.select_related("agreement").first()
    if found is None:
        raise NotFoundError(gettext_noop("agreement {slug!r} has no draft here"), slug=slug)
    return found


@officers
@require_POST
def agreement_discard(request: HttpRequest, slug: str) -> HttpResponse:
    """Throw the draft away."""
    door.discard_draft(_draft(slug))
    messages.success(request, _("The draft was thrown away."))
    return redirect("border:agreements")


@officers
@require_POST
def agreement_propose(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Propose the draft to the parties."""
    version, form = _draft(slug), ReasonForm(request.POST)
    if form.is_valid():
        with refusals_on(form) as refused:
            door.propose_agreement(
                version, by=cast(User, request.user), reason=form.cleaned_data["reason"]
            )
        if not refused:
            messages.success(
                request,
                _("The draft was proposed. It is in force once every party's officer approved it."),
            )
            return redirect(_address(version))
    context = {"edition": version, "clauses": _clauses(version), "propose": form}
    return _private(request, "border/agreement.html", context, status=422)


@overseers
@require_safe
def agreement_simulation(request: HttpRequest, slug: str) -> HttpResponse:
    """Replay past decisions against the draft: who gains access, who loses it."""
    version = door.find_version(slug, _asked_version(request))
    done = door.simulate_amendment(version, limit=REPLAYED)
    return _private(
        request,
        "border/agreement_simulation.html",
        {"edition": version, "done": done, "most": REPLAYED},
    )


@members
@require_safe
def agreement_ask(request: HttpRequest) -> HttpResponse:
    """Tell how a request would be decided now; nothing is written down."""
    form = AskForm(request.GET if "action" in request.GET else None)
    decision = None
    if form.is_valid():
        with refusals_on(form):
            decision = door.explain(form.request())
    status = 422 if form.is_bound and decision is None else 200
    context = {"form": form, "decision": decision}
    return _private(request, "border/agreement_ask.html", context, status=status)


@overseers
@require_safe
def decisions(request: HttpRequest) -> HttpResponse:
    """Show what was asked and decided, the newest first."""
    rows = Decision.objects.select_related("version__agreement").order_by("-pk")
    chosen = request.GET.get("decided", "")
    if chosen in {"allowed", "denied"}:
        rows = rows.filter(allow=chosen == "allowed")
    context = {"page": _page(request, rows), "chosen": chosen}
    return _private(request, "border/decisions.html", context)


@overseers
@require_safe
def decision(request: HttpRequest, number: int) -> HttpResponse:
    """Show one decision with every clause that was weighed."""
    row = (
        Decision.objects.select_related("version__agreement", "asked_by").filter(pk=number).first()
        if number < 2**63
        else None
    )
    if row is None:
        raise NotFoundError(gettext_noop("there is no decision {number} here"), number=number)
    context = {
        "row": row,
        "obligations": row.obligations.order_by("due_at", "pk"),
        "release": OutgoingBytes.objects.filter(decision=row).first(),
    }
    return _private(request, "border/decision.html", context)


@overseers
@require_safe
def obligations(request: HttpRequest) -> HttpResponse:
    """Show what must be done, the most urgent first."""
    rows = Obligation.objects.select_related("version__agreement").order_by("due_at", "pk")
    chosen = request.GET.get("state", "open")
    rows = rows.exclude(fulfilled_at=None) if chosen == "fulfilled" else rows.open()
    context = {"page": _page(request, rows), "chosen": chosen, "now": timezone.now()}
    return _private(request, "border/obligations.html", context)


@officers
@form_page
def obligation_fulfil(request: HttpRequest, number: int) -> HttpResponseBase:
    """Note that an obligation was fulfilled, and how."""
    rows = Obligation.objects.select_related("version__agreement").filter(fulfilled_at=None)
    row = rows.filter(pk=number).first() if number < 2**63 else None
    if row is None:
        raise NotFoundError(
            gettext_noop("there is no open obligation {number} here"), number=number
        )
    form = EvidenceForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            with refusals_on(form) as refused:
                door.fulfil_obligation(
                    number, author=cast(User, request.user), evidence=form.cleaned_data["evidence"]
                )
            if not refused:
                messages.success(request, _("Noted: the obligation is fulfilled."))
                return redirect("border:obligations")
            status = refused[0].status
    context = {"row": row, "form": form}
    return _private(request, "border/obligation_fulfil.html", context, status=status)


def _ledger() -> QuerySet[OutgoingBytes]:
    return OutgoingBytes.objects.select_related("version__agreement").order_by("-pk")


@overseers
@require_safe
def outgoing(request: HttpRequest) -> HttpResponse:
    """Show what left the country: each stream with its digest, recipient and clause."""
    page = _page(request, _ledger())
    return _private(request, "border/outgoing.html", {"page": page})


def _rows() -> Iterator[dict[str, Any]]:
    for row in _ledger().iterator(chunk_size=1_000):
        yield {
            **{name: getattr(row, name) for name in LEDGER if hasattr(row, name)},
            "at": row.at.isoformat(),
            "agreement": row.version.agreement.uid,
            "agreement_hash": row.version.digest,
            "decision": row.decision_id,
        }


@overseers
@require_safe
def outgoing_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """Give the ledger as a file."""
    name = f"outgoing-{timezone.localdate().isoformat()}"
    return table_file(name, form, LEDGER, _rows(), ledger="outgoing")
