"""What analysts fill in; ``arguments`` is what the door's verb is given."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from renkei.base.models import User
from renkei.materials import door, engine
from renkei.materials.models import Material, Notice, Scenario, Stage, language

RANGES = ("diversion", "new_partners", "qualification_days", "spare", "substitution")
SHARES = ("recycle_share", "fair_gap", "floor")
_NUMBER = r"(\d+(?:\.\d+)?)"
_INTERVAL = re.compile(rf"\s*{_NUMBER}\s*(?:–|-|,|〜|～)\s*{_NUMBER}\s*", re.ASCII)
_STOCK = re.compile(rf"\s*([A-Za-z]{{3}})\s+{_NUMBER}\s*(?:–|-|〜|～)\s*{_NUMBER}\s*", re.ASCII)


def _interval(text: str) -> list[float] | None:
    if not text.strip():
        return None
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise ValidationError(gettext("Two numbers are expected, such as 0–0.3."))
    return [float(found[1]), float(found[2])]


def _new_year() -> date:
    return date(timezone.localdate().year + 1, 1, 1)


def _countries() -> list[tuple[str, str]]:
    here = language()
    names = [
        (code, place.name(here))
        for code, place in engine.places().items()
        if place.alpha2 and code not in {"WLD", "OTH", "ANT"}
    ]
    return sorted(names, key=lambda pair: pair[1])


class ScenarioForm(forms.Form):
    """A what-if."""

    title = forms.CharField(label=_("Title"), max_length=160)
    kind = forms.ChoiceField(label=_("What happens"), choices=Scenario.Kind.choices)
    materials = forms.ModelMultipleChoiceField(
        label=_("Materials"),
        queryset=Material.objects.none(),
        to_field_name="slug",
        required=False,
        help_text=_("None: those of the codes or sites below, else all of the first list."),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    codes = forms.CharField(
        label=_("Codes"),
        required=False,
        max_length=200,
        help_text=_(
            "Six digits of the Harmonized System, by spaces, such as 284690: goods of these codes "
            "alone."
        ),
    )
    countries = forms.MultipleChoiceField(
        label=_("Where it happens"),
        required=False,
        help_text=_("Whose exports stop, or where mines and refineries stand."),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    importers = forms.MultipleChoiceField(
        label=_("Whom it hits"),
        required=False,
        help_text=_("None: everybody."),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    sites = forms.MultipleChoiceField(
        label=_("Sites that are out"),
        required=False,
        help_text=_("Of mines or refineries: these alone, instead of a whole country."),
        widget=forms.SelectMultiple(attrs={"size": 5}),
    )
    straits = forms.MultipleChoiceField(
        label=_("Straits that are closed"),
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 5}),
    )
    firms = forms.CharField(
        label=_("Firms that are attacked"),
        required=False,
        max_length=300,
        help_text=_("Names in the network, by spaces, such as F00001. No firm of it exists."),
        # In __init__: where the node has a network of its own, its codes.
    )
    starts_on = forms.DateField(
        label=_("First day"),
        initial=_new_year,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=3650, initial=365)
    ends_on = forms.DateField(
        label=_("Last day"),
        required=False,
        help_text=_("Instead of a number of days."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    severity = forms.FloatField(
        label=_("Share that is lost"),
        min_value=0.0,
        initial=1.0,
        help_text=_("0 to 1; of a price, the rise: 0.5 is half as much again."),
    )
    diversion = forms.CharField(
        label=_("How far flows can grow"),
        required=False,
        help_text=_("Share of each flow, low and high. Empty: 0–0.3, assumed."),
    )
    new_partners = forms.CharField(
        label=_("What new partners can send"),
        required=False,
        help_text=_("Share of an exporter's supply. Empty: 0–0.1, assumed."),
    )
    qualification_days = forms.CharField(
        label=_("Days until a new partner is qualified"),
        required=False,
        help_text=_("Empty: 180–540, assumed."),
    )
    substitution = forms.CharField(
        label=_("What something else can serve"),
        required=False,
        help_text=_("Share of use. Empty: 0–0.1, assumed."),
    )
    spare = forms.CharField(
        label=_("Spare capacity of producers"),
        required=False,
        help_text=_("Share of their output. Empty: 0–0.1, assumed."),
    )
    stock_days = forms.CharField(
        label=_("Days of use in stock"),
        required=False,
        help_text=_("By country, such as JPN 60–180, USA 0–60: what is assumed if empty."),
    )
    recycle_share = forms.FloatField(
        label=_("What recycling can serve"),
        required=False,
        min_value=0.0,
        max_value=1.0,
        help_text=_("Share of demand. Empty: nothing, for no rate is in the registry."),
    )
    fair_gap = forms.FloatField(
        label=_("How much the parties' missing shares may differ"),
        required=False,
        min_value=0.0,
        max_value=1.0,
        help_text=_("Empty: 0.1. With 0 both parties miss the same share."),
    )
    floor = forms.FloatField(
        label=_("Share of each demand that must be met"),
        required=False,
        min_value=0.0,
        max_value=1.0,
        help_text=_("Empty: none. If it cannot be, the answer says which demand is not met."),
    )
    is_public = forms.BooleanField(label=_("Strangers may read the answer"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Material.objects.filter(is_watched=True).order_by(f"name_{language()}")
        self.fields["materials"].queryset = rows  # type: ignore[attr-defined]
        places = _countries()
        self.fields["countries"].choices = places  # type: ignore[attr-defined]
        self.fields["importers"].choices = places  # type: ignore[attr-defined]
        self.fields["straits"].choices = [  # type: ignore[attr-defined]
            (name, door.strait_name(name)) for name in sorted(engine.STRAITS)
        ]
        self.fields["sites"].choices = [  # type: ignore[attr-defined]
            (site.slug, f"{site.name} ({site.material.name}, {site.get_stage_display()})")
            for site in door.sites()
        ]
        if door.own_firms():
            self.fields["firms"].help_text = _(
                "Codes of this node's own firms, by spaces; they stand under Firm cascade."
            )

    def clean_diversion(self) -> list[float] | None:
        """Return the interval."""
        return _interval(self.cleaned_data["diversion"])

    def clean_new_partners(self) -> list[float] | None:
        """Return the interval."""
        return _interval(self.cleaned_data["new_partners"])

    def clean_qualification_days(self) -> list[float] | None:
        """Return the interval."""
        return _interval(self.cleaned_data["qualification_days"])

    def clean_substitution(self) -> list[float] | None:
        """Return the interval."""
        return _interval(self.cleaned_data["substitution"])

    def clean_spare(self) -> list[float] | None:
        """Return the interval."""
        return _interval(self.cleaned_data["spare"])

    def clean_stock_days(self) -> dict[str, list[float]]:
        """Return low and high by country."""
        found = {}
        for part in re.split(r"[,、;]", self.cleaned_data["stock_days"]):
            if not part.strip():
                continue
            said = _STOCK.fullmatch(part)
            if said is None:
                raise ValidationError(
                    gettext("A code and two numbers are expected, such as JPN 60–180.")
                )
            found[said[1].upper()] = [float(said[2]), float(said[3])]
        return found

    def clean(self) -> dict[str, Any]:
        """Ask for what the kind of disruption cannot do without, at its field."""
        data: dict[str, Any] = self.cleaned_data
        needed = {"strait_closed": "straits", "cyber_attack": "firms", "price_shock": "materials"}
        name = needed.get(data.get("kind", ""), "countries")
        is_named = data.get(name) or (name == "countries" and data.get("sites"))
        if not is_named and name not in self.errors:
            self.add_error(name, _("This kind of disruption needs it."))
        return data

    def arguments(self) -> dict[str, Any]:
        """Return what ``door.disrupt`` is given; valid forms only."""
        data = dict(self.cleaned_data)
        ranges = {name: data.pop(name) for name in (*RANGES, "stock_days")}
        shares = {name: data.pop(name) for name in SHARES}
        data["parameters"] = {name: pair for name, pair in ranges.items() if pair} | {
            name: share for name, share in shares.items() if share is not None
        }
        data["codes"] = data["codes"].split()
        data["materials"] = [row.slug for row in data["materials"]]
        data["firms"] = data["firms"].split()
        return data


PROGRAMMES: Mapping[str, Any] = {
    "clean_vehicle_credit": _("Clean-vehicle credit (United States, 30D)"),
    "us_japan_minerals_agreement": _("US–Japan critical minerals agreement"),
    "battery_passport": _("Battery passport (EU)"),
}
MINERALS: Mapping[str, Any] = {
    "cobalt": _("Cobalt"),
    "graphite": _("Graphite"),
    "lithium": _("Lithium"),
    "manganese": _("Manganese"),
    "nickel": _("Nickel"),
}
FACTS: Mapping[str, Any] = {
    "critical_mineral_value": _("Value of critical minerals by country"),
    "component_share": _("Share of battery components made in North America, 0 to 1"),
    "component_entities": _("Battery components by country of the entity"),
    "mineral_entities": _("Critical minerals by country of the entity"),
    "passport": _("Fields that the passport has"),
}
PASSPORT: Mapping[str, Any] = {
    "manufacturer": _("manufacturer"),
    "battery_category": _("category of the battery"),
    "place_of_manufacture": _("place of manufacture"),
    "date_of_manufacture": _("date of manufacture"),
    "weight": _("weight of the battery"),
    "capacity": _("capacity of the battery"),
    "chemistry": _("chemistry"),
    "hazardous_substances": _("hazardous substances"),
    "critical_raw_materials": _("critical raw materials"),
    "carbon_footprint": _("carbon footprint"),
    "recycled_content": _("recycled content"),
    "responsible_sourcing_report": _("report on responsible sourcing"),
}
HELP: Mapping[str, Any] = {
    "share_from_partners": _("Amounts by country, such as AUS=60, CHN=40."),
    "none_from": _("Countries with commas, or amounts such as AUS=60, CHN=40."),
    "at_least": _("A number."),
    "fields_present": _("Names with commas."),
}


class JudgeForm(forms.Form):
    """What is judged by dated rules; the facts are those that the programme asks for."""

    programme = forms.ChoiceField(label=pgettext_lazy("materials", "Programme"))
    as_of = forms.DateField(
        label=_("As of"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    mineral = forms.ChoiceField(label=_("Count agreements for this mineral alone"), required=False)
    hypothetical = forms.BooleanField(
        label=_("Answer although the programme does not hold on that day"), required=False
    )

    def __init__(self, *args: Any, programme: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = door.programmes()
        self.fields["programme"].choices = [  # type: ignore[attr-defined]
            (name, PROGRAMMES.get(name, name)) for name in known
        ]
        minerals = sorted(
            {name for rules in known.values() for one in rules for name in one.minerals}
        )
        self.fields["mineral"].choices = [  # type: ignore[attr-defined]
            ("", _("all minerals")),
            *((name, MINERALS.get(name, name)) for name in minerals),
        ]
        self.facts = door.facts_of(programme) if programme in known else {}
        for name, kind in self.facts.items():
            self.fields[name] = forms.CharField(
                label=FACTS.get(name, name),
                required=False,
                max_length=2000,
                help_text=HELP[kind],
            )

    def arguments(self) -> dict[str, Any]:
        """Return what ``door.judge`` is given; valid forms only."""
        data = self.cleaned_data
        return {
            "programme": data["programme"],
            "as_of": data["as_of"],
            "hypothetical": data["hypothetical"],
            "mineral": data["mineral"].strip(),
            "facts": {name: data[name] for name in self.facts if data[name].strip()},
        }


class EuForm(forms.Form):
    """What the EU's scores need and the registry does not hold."""

    country = forms.CharField(label=_("Country"), max_length=60, required=False)
    stage = forms.ChoiceField(
        label=_("Stage"),
        required=False,
        choices=[("", _("the one with the higher score")), *Stage.choices[:2]],
    )
    recycling = forms.CharField(
        label=_("End-of-life recycling input rate"),
        required=False,
        max_length=40,
        help_text=_("0 to 1, or two ends such as 0–0.1. Empty: left out."),
    )
    substitution = forms.CharField(
        label=_("Substitution index"),
        required=False,
        max_length=40,
        help_text=_("0 (can be replaced) to 1, or two ends. Empty: left out."),
    )
    uses = forms.CharField(
        label=_("Uses"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One line each: sector; share of use; value added of the sector."),
    )
    largest = forms.FloatField(
        label=_("Value added of the largest sector"),
        required=False,
        min_value=0.0,
        help_text=_("In the unit of the lines above. Both together give economic importance."),
    )


class OverlapForm(forms.Form):
    """Whom to ask how many suppliers both have."""

    partner = forms.ChoiceField(label=pgettext_lazy("materials", "Partner"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].choices = [  # type: ignore[attr-defined]
            (one.name, f"{one.name} ({one.party})") for one in settings.NODE.partners
        ]


class JointRunForm(forms.Form):
    """What a joint run asks; only border vectors leave the node."""

    partner = forms.ChoiceField(label=pgettext_lazy("materials", "Partner"))
    title = forms.CharField(label=_("Title"), max_length=160)
    firms = forms.CharField(
        label=_("Firms"),
        max_length=300,
        help_text=_("Codes of this node's own firms, with spaces between them."),
    )
    severity = forms.FloatField(
        label=_("Share that is lost"), initial=1.0, min_value=0.01, max_value=1.0
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].choices = [  # type: ignore[attr-defined]
            (one.name, f"{one.name} ({one.party})") for one in settings.NODE.partners
        ]

    def arguments(self) -> dict[str, Any]:
        """Return what ``door.open_joint`` is given; valid forms only."""
        return {**self.cleaned_data, "firms": self.cleaned_data["firms"].split()}


class PlanForm(forms.Form):
    """What goes with a plan that is proposed to the other parties."""

    reason = forms.CharField(label=_("Reason for the partner"), max_length=1000)
    note = forms.CharField(
        label=_("Note in the plan"), required=False, widget=forms.Textarea, max_length=2000
    )


def _people() -> list[tuple[int, str]]:
    rows = User.objects.filter(is_active=True, grants__role__in=("analyst", "officer")).distinct()
    return [(row.pk, row.title) for row in rows.order_by("username")]


class CaseForm(forms.Form):
    """A new case."""

    title = forms.CharField(label=_("Title"), max_length=160)
    materials = forms.ModelMultipleChoiceField(
        label=_("Materials"),
        queryset=Material.objects.none(),
        to_field_name="slug",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Material.objects.filter(is_watched=True).order_by(f"name_{language()}")
        self.fields["materials"].queryset = rows  # type: ignore[attr-defined]

    def arguments(self) -> dict[str, Any]:
        """Return what ``door.open_case`` is given."""
        return {
            "title": self.cleaned_data["title"],
            "materials": [row.slug for row in self.cleaned_data["materials"]],
        }


class NoteForm(forms.Form):
    """A note in a case."""

    text = forms.CharField(label=_("Note"), widget=forms.Textarea, max_length=4000)


class OwnerForm(forms.Form):
    """Who answers for a case."""

    owner = forms.TypedChoiceField(label=pgettext_lazy("materials", "Owner"), coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = _people()  # type: ignore[attr-defined]


class CloseForm(forms.Form):
    """Why a case is closed."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class NoticeForm(forms.ModelForm[Notice]):
    """A disruption notification with the fields of Catena-X CX-0146."""

    class Meta:
        model = Notice
        fields: Iterable[str] = (
            "text",
            "status",
            "category",
            "effect",
            "materials_affected",
            "sites_sender",
            "sites_recipient",
            "start_expected",
            "end_expected",
        )
        widgets = {  # noqa: RUF012  as Django has it
            "text": forms.Textarea,
            "start_expected": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "end_expected": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }
