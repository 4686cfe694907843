"""Response plans as joint acts: one node proposes, every party approves, all nodes keep the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from renkei.base.models import Grant, Role, User
from renkei.border import door as border
from renkei.border.door import JointKind
from renkei.kit.errors import ConflictError, ForbiddenError, NotFoundError, gettext_noop
from renkei.materials import engine
from renkei.materials.door import _read
from renkei.materials.door._load import changed
from renkei.materials.door._scenarios import recommend, recommendation_schema, site_names
from renkei.materials.models import Material, Plan, Product, Recommendation, Scenario, language

Content = Mapping[str, Any]
KIND = "materials.plan"
UNDER_WAY = frozenset({"proposed", "approved"})


class ProposedError(ConflictError):
    """The same plan waits for the parties already."""

    code = "materials.proposed"


class UnknownPlanError(NotFoundError):
    """There is no such joint plan."""

    code = "materials.unknown_plan"


class NotOfficerError(ForbiddenError):
    """Only an officer of this node's party speaks for it."""

    code = "materials.not_officer"


@dataclass(frozen=True, slots=True)
class JointPlan:
    """A plan and how far it has come.

    Attributes:
        act: the border's joint act.
        stage: ``proposed``, ``approved_by_one``, ``approved``, ``sealed``, ``witnessed``,
            ``rejected``, ``expired`` or ``superseded``.
        approvals: by party, whether it approved; ``None`` while it waits.
        is_kept: whether it stands in the registry: witnessed by all, and applied here.
    """

    act: Any
    stage: str
    approvals: tuple[tuple[str, bool | None], ...]
    is_kept: bool

    @property
    def content(self) -> dict[str, Any]:
        """Return what is decided."""
        content: dict[str, Any] = self.act.content
        return content

    @property
    def headline(self) -> str:
        """Return what the plan answers, in the reader's language."""
        return headline(self.content)

    @property
    def scenario_here(self) -> str:
        """Return the name of this node's scenario that the plan answers, or nothing."""
        own = f"{KIND}/{settings.NODE.name}/"
        record: str = self.act.record
        return record.removeprefix(own) if record.startswith(own) else ""

    @property
    def is_waiting_here(self) -> bool:
        """Tell whether this node's party has not answered yet."""
        return (
            self.act.stage == "proposed" and dict(self.approvals).get(settings.NODE.party) is None
        )


def officer(username: str) -> User:
    """Return an officer of this node's party by the account's name.

    Raises:
        NotOfficerError: there is none of that name.
    """
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None or Role.OFFICER not in Grant.objects.of(user, party=settings.NODE.party):
        raise NotOfficerError(
            gettext_noop("{name!r} is no officer of {party}: only an officer proposes a plan"),
            name=username,
            party=settings.NODE.party,
        )
    return user


def propose(scenario: Scenario, *, by: User, reason: str, note: str = "") -> JointPlan:
    """Propose the plan of an answered scenario to the other parties; the proposer's approves by it.

    Raises:
        NotAnsweredError: the scenario has no plan.
        ProposedError: a plan of this scenario waits already.
        FrozenError: misconduct of a partner stands unexamined.
    """
    content = recommend(scenario, note=note.strip())
    record = f"{KIND}/{settings.NODE.name}/{scenario.slug}"
    with transaction.atomic():
        Scenario.objects.select_for_update().get(pk=scenario.pk)
        if border.acts(KIND).filter(record=record, stage__in=UNDER_WAY).exists():
            raise ProposedError(
                gettext_noop("a plan of {slug!r} waits for the parties already"),
                slug=scenario.slug,
            )
        act = border.propose(KIND, scenario.slug, content, by=by, reason=reason)
    border.wake()
    return _plan(act)


def plans(*, material: str = "", scenario: str = "") -> list[JointPlan]:
    """Return the joint plans, the newest first.

    Args:
        material: those about this material alone.
        scenario: those that this node proposed of this scenario.
    """
    rows = border.acts(KIND)
    if scenario:
        rows = rows.filter(record=f"{KIND}/{settings.NODE.name}/{scenario}")
    return [_plan(act) for act in rows if not material or material in _materials_of(act.content)]


def find_plan(uid: str) -> JointPlan:
    """Return a joint plan by its act.

    Raises:
        UnknownPlanError: there is none.
    """
    act = border.acts(KIND).filter(uid=uid).first()
    if act is None:
        raise UnknownPlanError(gettext_noop("there is no joint plan {uid}"), uid=uid[:100])
    return _plan(act)


def plans_version() -> str:
    """Return what changes whenever any plan comes a step further."""
    return ".".join(
        f"{act.pk}{border.shown_stage(act)}"
        for act in border.acts(KIND).defer("content", "parties", "reason")
    )


def _plan(act: Any) -> JointPlan:
    given = {row.party: row.is_approval for row in act.approvals.all()}
    return JointPlan(
        act,
        border.shown_stage(act),
        tuple((party, given.get(party)) for party in act.parties),
        Plan.objects.filter(act=act.uid).exists(),
    )


def _materials_of(content: Content) -> set[str]:
    named = set(content["scenario"]["materials"])
    return named or {row["material"] for row in content["bounds"]}


def _apply(content: Content, act: str, reason: str) -> None:
    """Keep a witnessed plan in the registry; the former version of it is closed."""
    record = border.find(act).record
    if Plan.objects.filter(act=act).exists():
        return
    Plan.objects.filter(record=record, is_current=True).update(is_current=False)
    plan = Plan.objects.create(act=act, record=record, content=dict(content), reason=reason)
    plan.materials.set(Material.objects.filter(slug__in=_materials_of(content)))
    changed()


def _check(content: Content) -> None:
    for slug in _materials_of(content):
        _read.find(slug)


def _names(codes: list[str]) -> str:
    here = language()
    said = [engine.place_name(code, here) for code in codes]
    return ("・" if here == "ja" else ", ").join(said)


def headline(content: Content) -> str:
    """Return in one line what a plan answers, in the reader's language."""
    asked = content["scenario"]
    known = {row.slug: row.name for row in Material.objects.filter(slug__in=_materials_of(content))}
    shown = [known.get(slug, slug) for slug in sorted(_materials_of(content))]
    few = ("・" if language() == "ja" else ", ").join(shown[:3])
    what = (
        few
        if len(shown) <= 3
        else _("{few} and {count} more").format(few=few, count=len(shown) - 3)
    )
    said = {
        "kind": Scenario.Kind(asked["kind"]).label,
        "what": what,
        "where": ("・" if language() == "ja" else ", ").join(
            [
                *(_read.strait_name(name) for name in asked.get("straits", ())),
                *site_names(asked.get("sites", ())),
                *filter(None, [_names(asked["countries"])]),
            ]
        ),
        "whom": _names(asked["importers"]),
    }
    if said["where"] and said["whom"]:
        return _("{kind}: {where} to {whom} ({what})").format(**said)
    if said["where"]:
        return _("{kind}: {where} ({what})").format(**said)
    return _("{kind} ({what})").format(**said)


def _percent(text: str) -> str:
    return f"{float(text) * 100:.1f} %"


def _day(text: str) -> str:
    return str(date_format(date.fromisoformat(text), "DATE_FORMAT", use_l10n=True))


def _lines(content: Content) -> list[tuple[object, str]]:
    """Return a plan for the officers who answer it: the question, the bounds, each action, the cost."""
    asked = content["scenario"]
    names = {row.slug: row.name for row in Material.objects.all()}
    goods = {row.slug: row.name for row in Product.objects.all()}
    here = language()
    days = asked["days"]
    lasts = ngettext("lasting {count} day", "lasting {count} days", days).format(count=days)
    lines: list[tuple[object, str]] = [
        (_("What happens"), headline(content)),
        (_("Title"), asked["title"]),
        (_("When"), f"{_day(asked['starts_on'])} · {lasts}"),
        (
            _("Rise of the price") if asked["kind"] == "price_shock" else _("Share that is lost"),
            _percent(asked["severity"]),
        ),
    ]
    if asked.get("codes"):
        lines.append((_("Codes"), " ".join(asked["codes"])))
    lines += [
        (
            ("・" if here == "ja" else ", ").join(
                (
                    names.get(row["material"], row["material"]),
                    engine.place_name(row["party"], here),
                )
            ),
            _("missing without diversion {most}, with free diversion {least}").format(
                most=_percent(row["no_diversion"]), least=_percent(row["free_diversion"])
            )
            + _with_caps(row.get("with_caps"))
            + _stock_days(row["days_of_stock"]),
        )
        for row in content["bounds"]
    ]
    if content["products"]:
        hit = dict.fromkeys(
            goods.get(row["product"], row["product"]) for row in content["products"]
        )
        lines.append((_("Products that are hit"), ("、" if here == "ja" else ", ").join(hit)))
    kinds = dict(Recommendation._meta.get_field("kind").flatchoices)  # noqa: SLF001  Django's name
    for row in content["actions"]:
        origin = engine.place_name(row["from"], here) if row["from"] else ""
        said = _("{material}: {tonnes} t for {party}, after {days} days").format(
            material=names.get(row["material"], row["material"]),
            tonnes=f"{float(row['tonnes']):,.0f}",
            party=engine.place_name(row["party"], here),
            days=row["delay_days"],
        )
        label = str(kinds.get(row["kind"], row["kind"]))
        lines.append((f"{row['rank']}. {label}", f"{origin} – {said}" if origin else said))
    lines += [
        (_("Who releases stock"), _names(content["releases_stock"]) or "–"),
        (_("Stays missing"), _percent(content["missing_share"])),
        (_("Cost, US dollars"), f"{content['cost_usd']:,}"),
    ]
    if content["note"]:
        lines.append((_("Note"), content["note"]))
    return lines


def _with_caps(pair: Sequence[str] | None) -> str:
    """Return what is missing while flows may grow by so much alone; an older plan does not tell it."""
    if not pair:
        return ""
    low, high = map(_percent, pair)
    return _(", with caps {low} to {high}").format(low=low, high=high)


def _stock_days(days: list[int | None]) -> str:
    if not days:
        return ""
    low, high = days[0], days[-1]
    return _("; stocks last {low} to {high} days").format(
        low="∞" if low is None else low, high="∞" if high is None else high
    )


JOINT = (
    JointKind(
        name=KIND,
        label=gettext_lazy("Response plan"),
        schema=recommendation_schema(),
        apply=_apply,
        check=_check,
        is_applied_witnessed=True,  # nobody acts on a plan that a partner could still deny
        lines=_lines,
        url=lambda _content: "",
        page=lambda uid: reverse("materials:plan", args=[uid]),
    ),
)
"""What both parties decide about critical materials."""
