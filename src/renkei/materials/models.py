"""Tables of the registry: what is where, who said so, when it was true and since when we know.

Every fact is bitemporal. ``valid_from`` and ``valid_to`` say when it was so in the world (both days
included); ``known_from`` and ``known_to`` say since when, and until when, a release said so: a row
whose ``known_to`` is empty is what is known today, and a revision closes it and opens another.
Nothing is overwritten. Every fact names the ``Release`` and the row it was printed in, and keeps
the printed token (``raw``) beside the number.

``Risk`` and ``Exposure`` are summaries, made anew from the facts by ``door.rebuild``: pages read
them, and each opens to its inputs. Stocks, supplier links, trade with partners and what is marked
``is_public=False`` belong to companies or are secret by policy: no public page or answer reads them.
"""

import itertools
import re
from datetime import date
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from stdnum import lei as lei_number

ISO3 = RegexValidator(r"^[A-Z]{3}\Z", _("three capital letters of ISO 3166-1 are expected"))
HS6 = RegexValidator(r"^\d{6}\Z", _("six digits of the Harmonized System are expected"))
LOCODE = RegexValidator(r"^[A-Z]{2}[A-Z2-9]{3}\Z", _("a UN/LOCODE such as JPTYO is expected"))
SLUG = RegexValidator(r"^[a-z0-9][a-z0-9_-]*\Z", _("small letters, digits, - and _ are expected"))
IN_BILLS = {"rare_earths": "magnet_rare_earths", "natural_graphite": "battery_graphite"}
"""By which material bills of materials name what is traded under another one."""

WORLD, OTHERS = "WLD", "OTH"
"""What stands for a printed world total, and for countries that a table does not name."""


def language() -> str:
    """Return the language that texts are told in."""
    return "ja" if (get_language() or "en").startswith("ja") else "en"


def check_lei(value: str) -> None:
    """Refuse what is no Legal Entity Identifier (ISO 17442-1, check digits by ISO 7064 MOD 97-10)."""
    if not re.fullmatch(r"[A-Z0-9]{18}\d{2}", value) or not lei_number.is_valid(value):
        raise ValidationError(
            _("%(value)s is no LEI: its two check digits do not fit"), params={"value": value}
        )


def free_slug(model: type[models.Model], title: str, *, otherwise: str) -> str:
    """Return a short name of a title that no row has; titles without Latin letters have one in common."""
    start = slugify(title)[:40] or otherwise
    rows = model._default_manager.filter(slug__startswith=start)  # noqa: SLF001  Django's name
    taken = set(rows.values_list("slug", flat=True))
    if start not in taken:
        return start
    return next(
        f"{start}-{number}" for number in itertools.count(2) if f"{start}-{number}" not in taken
    )


class Stage(models.TextChoices):
    """Where in a chain a quantity is measured."""

    MINE = "mine", _("Mining")
    REFINE = "refine", _("Refining")
    PRODUCT = "product", _("Products")


class Subject(models.TextChoices):
    """What an observation counts."""

    PRODUCTION = "production", _("Production")
    CAPACITY = "capacity", _("Capacity")
    RESERVES = "reserves", _("Reserves")
    RELIANCE = "reliance", _("Net import reliance")
    SOURCE = "source", _("Share of imports")
    IMPORTS = "imports", _("Imports")
    EXPORTS = "exports", _("Exports")
    CONSUMPTION = "consumption", _("Consumption")
    STOCKS = "stocks", _("Published stocks")
    PRICE = "price", _("Price")
    OTHER = "other", _("Other")


class Qualifier(models.TextChoices):
    """What a printed token says besides a number."""

    EXACT = "", _("as printed")
    BELOW = "<", _("less than")
    ABOVE = ">", _("more than")
    HALF = "half", _("less than half a unit")
    ZERO = "zero", _("zero")
    MISSING = "NA", _("not available")
    WITHHELD = "W", _("withheld by the publisher")
    EXPORTER = "E", _("net exporter")
    UNKNOWN = "XX", _("not applicable")
    WORDS = "words", _("in words")


NUMBERLESS = (
    Qualifier.BELOW,
    Qualifier.ABOVE,
    Qualifier.MISSING,
    Qualifier.WITHHELD,
    Qualifier.EXPORTER,
    Qualifier.UNKNOWN,
    Qualifier.WORDS,
)


class Named(models.Model):
    """Something with a name in both languages."""

    name_en = models.CharField(_("English name"), max_length=200)
    name_ja = models.CharField(_("Japanese name"), max_length=200)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return the name in the reader's language."""
        return str(self.name_ja if language() == "ja" else self.name_en)


class State(models.Model):
    """One row: the version of the facts, by which pages are kept."""

    version = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)
    watched = models.JSONField(default=dict, blank=True, help_text=_("what the last sweep counted"))

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="materials_state_once", condition=Q(pk=1))
        ]

    def __str__(self) -> str:
        return str(self.version)


class Release(models.Model):
    """One edition of a publisher's file, or a set of facts typed by hand with their citation."""

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    publisher = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    licence = models.CharField(max_length=120)
    reference = models.CharField(max_length=200, blank=True)
    known_on = models.DateField()
    sha256 = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(default=0)
    loaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["publisher", "sha256"],
                condition=~Q(sha256=""),
                name="materials_release_once",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Material(Named):
    """A material whose supply is watched, or that a release reports."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    symbol = models.CharField(max_length=40, blank=True)
    is_watched = models.BooleanField(
        _("in the registry's first list"), default=False, help_text=_("shown before the others")
    )
    is_us_critical = models.BooleanField(_("on the US list of 2025"), default=False)


class Form(Named):
    """In which goods a material is traded: Harmonized System codes, and how sure they are."""

    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="forms")
    stage = models.CharField(max_length=8, choices=Stage)
    hs2022 = models.CharField(max_length=6, validators=[HS6])
    hs92 = models.CharField(max_length=6, blank=True, validators=[HS6])
    is_mixed = models.BooleanField(
        default=False, help_text=_("the code holds other goods too: its totals say little")
    )
    content_factor = models.FloatField(
        null=True, blank=True, help_text=_("tonnes of the element in a tonne of the good")
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["material", "hs2022", "hs92"], name="materials_form_once"
            ),
            models.CheckConstraint(
                name="materials_form_content_is_a_share",
                condition=Q(content_factor=None) | Q(content_factor__gt=0, content_factor__lte=1),
            ),
            models.CheckConstraint(
                name="materials_form_known_stage", condition=Q(stage__in=Stage.values)
            ),
        ]


class Organisation(models.Model):
    """A legal entity by its LEI, or one that a node named for itself."""

    lei = models.CharField(max_length=20, blank=True, validators=[check_lei])
    name = models.CharField(max_length=300)
    country = models.CharField(max_length=2, blank=True)
    category = models.CharField(max_length=40, blank=True)
    is_public = models.BooleanField(default=True)
    release = models.ForeignKey(
        Release, on_delete=models.PROTECT, null=True, blank=True, related_name="organisations"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["lei"], condition=~Q(lei=""), name="materials_organisation_lei_once"
            ),
            models.CheckConstraint(
                name="materials_organisation_lei_form",
                condition=Q(lei="") | Q(lei__regex=r"^[A-Z0-9]{18}[0-9]{2}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Site(Named):
    """A mine, refinery or works."""

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="sites")
    stage = models.CharField(max_length=8, choices=Stage)
    country = models.CharField(max_length=3, validators=[ISO3])
    locode = models.CharField("UN/LOCODE", max_length=5, blank=True, validators=[LOCODE])
    latitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)]
    )
    longitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)]
    )
    capacity_tonnes = models.FloatField(null=True, blank=True)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="sites"
    )
    source = models.CharField(max_length=300)
    is_public = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_site_on_earth",
                condition=Q(latitude=None, longitude=None)
                | Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
            ),
            models.CheckConstraint(
                name="materials_site_capacity",
                condition=Q(capacity_tonnes=None) | Q(capacity_tonnes__gte=0),
            ),
        ]


class BitemporalQuerySet(models.QuerySet[Any]):
    """Facts by what was known when."""

    def current(self) -> Self:
        """Return what is known today."""
        return self.filter(known_to=None)

    def as_known(self, day: date) -> Self:
        """Return what was known on a day."""
        return self.filter(known_from__lte=day).filter(Q(known_to=None) | Q(known_to__gt=day))

    def newest_whole(self) -> date | None:
        """Return the first day of the newest year that is told as fully as others are.

        A file with a few flows of a newer year must not pass for that year's trade.
        """
        told = dict(self.order_by().values_list("valid_from").annotate(models.Count("pk")))
        most = max(told.values(), default=0)
        whole = [day for day, count in told.items() if count * 2 >= most]
        return max(whole) if whole else None


class Fact(models.Model):
    """What a release says: when it was so, since when it is known, and where it is printed."""

    valid_from = models.DateField()
    valid_to = models.DateField()
    known_from = models.DateField()
    known_to = models.DateField(null=True, blank=True)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="+")
    row = models.PositiveIntegerField(null=True, blank=True)

    objects = BitemporalQuerySet.as_manager()

    class Meta:
        abstract = True


class Observation(Fact):
    """One printed cell: how much of what, where, and with which reservations."""

    key = models.CharField(max_length=32, help_text=_("the same cell in every edition"))
    material = models.ForeignKey(
        Material, on_delete=models.PROTECT, related_name="observations", db_index=False
    )
    stage = models.CharField(max_length=8, blank=True)
    subject = models.CharField(max_length=12, choices=Subject)
    place = models.CharField(max_length=3, help_text=_("ISO 3166-1, WLD or OTH"))
    detail = models.CharField(max_length=160, blank=True)
    raw = models.CharField(max_length=80)
    qualifier = models.CharField(max_length=5, blank=True, choices=Qualifier)
    is_estimated = models.BooleanField(default=False)
    quantity = models.FloatField(null=True, blank=True)
    unit = models.CharField(max_length=40, blank=True)
    tonnes = models.FloatField(null=True, blank=True)
    bound = models.FloatField(
        null=True, blank=True, help_text=_("of “<5” and “>95”, which are no quantities")
    )
    note = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["material", "subject", "stage", "valid_from"],
                condition=Q(known_to=None),
                name="materials_observation_now",
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["key", "valid_from"],
                condition=Q(known_to=None),
                name="materials_observation_once",
            ),
            models.CheckConstraint(
                name="materials_observation_known_forwards",
                condition=Q(known_to=None) | Q(known_to__gt=F("known_from")),
            ),
            models.CheckConstraint(
                name="materials_observation_valid_forwards",
                condition=Q(valid_to__gte=F("valid_from")),
            ),
            models.CheckConstraint(
                name="materials_observation_no_number_from_a_word",
                condition=~Q(qualifier__in=NUMBERLESS) | Q(quantity=None, tonnes=None),
            ),
            models.CheckConstraint(
                name="materials_observation_bound_with_its_sign",
                condition=Q(bound=None) | Q(qualifier__in=(Qualifier.BELOW, Qualifier.ABOVE)),
            ),
            models.CheckConstraint(
                name="materials_observation_not_negative",
                condition=Q(quantity=None) | Q(quantity__gte=0) | Q(subject=Subject.RELIANCE),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material_id} {self.subject} {self.place} {self.valid_from:%Y}: {self.raw}"

    @property
    def year(self) -> int:
        """Return the year that it is about."""
        return self.valid_from.year


class Flow(Fact):
    """What crossed a border: value and mass of one code, between two places, in one period."""

    code = models.CharField(max_length=6, validators=[HS6])
    exporter = models.CharField(max_length=3)
    importer = models.CharField(max_length=3)
    basis = models.CharField(
        max_length=12,
        choices=[("consignment", _("by shipper")), ("origin", _("by origin"))],
        default="consignment",
    )
    reporter = models.CharField(
        max_length=3,
        blank=True,
        help_text=_("whose customs said so; empty: both sides were reconciled"),
    )
    kusd = models.FloatField(help_text=_("thousand US dollars"))
    tonnes = models.FloatField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["code", "valid_from", "importer"],
                condition=Q(known_to=None),
                name="materials_flow_now",
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "code",
                    "exporter",
                    "importer",
                    "valid_from",
                    "valid_to",
                    "basis",
                    "reporter",
                ],
                condition=Q(known_to=None),
                name="materials_flow_once",
            ),
            models.CheckConstraint(
                name="materials_flow_not_negative",
                condition=Q(kusd__gte=0) & (Q(tonnes=None) | Q(tonnes__gte=0)),
            ),
            models.CheckConstraint(
                name="materials_flow_known_forwards",
                condition=Q(known_to=None) | Q(known_to__gt=F("known_from")),
            ),
            models.CheckConstraint(
                name="materials_flow_valid_forwards", condition=Q(valid_to__gte=F("valid_from"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.exporter}→{self.importer} {self.valid_from}"


class Governance(Fact):
    """How stable a country's politics is held to be (World Bank, -2.5 worst to 2.5 best)."""

    place = models.CharField(max_length=3, validators=[ISO3])
    estimate = models.FloatField()
    error = models.FloatField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["place", "valid_from"],
                condition=Q(known_to=None),
                name="materials_governance_once",
            ),
            models.CheckConstraint(
                name="materials_governance_range", condition=Q(estimate__range=(-5, 5))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.valid_from:%Y}: {self.estimate}"


class Stock(models.Model):
    """Material that is held: an interval, because levels are secret by policy. Never public."""

    owner = models.CharField(max_length=120)
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="stocks")
    kind = models.CharField(
        max_length=12,
        choices=[
            ("government", _("Government")),
            ("industry", _("Industry")),
            ("producer", _("Producer")),
            ("transit", _("In transit")),
        ],
    )
    low_tonnes = models.FloatField()
    high_tonnes = models.FloatField()
    release_rule = models.CharField(max_length=300, blank=True)
    valid_from = models.DateField()
    known_from = models.DateField()
    known_to = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=300)

    objects = BitemporalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_stock_interval",
                condition=Q(low_tonnes__gte=0, high_tonnes__gte=F("low_tonnes")),
                violation_error_message=_("A stock is an interval from low to high."),
            ),
            models.CheckConstraint(
                name="materials_stock_known_forwards",
                condition=Q(known_to=None) | Q(known_to__gt=F("known_from")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner}: {self.material_id}"


class Link(models.Model):
    """Who supplies whom with what, how large a share, and how well that is known. Never public."""

    supplier = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="sells")
    buyer = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="buys")
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="links")
    kusd = models.FloatField(
        null=True, blank=True, help_text=_("yearly value in thousand US dollars")
    )
    low_share = models.FloatField(default=0)
    high_share = models.FloatField(default=1)
    evidence = models.CharField(max_length=300)
    confidence = models.CharField(
        max_length=8,
        choices=[("low", _("low")), ("middle", _("middle")), ("high", _("high"))],
    )
    valid_from = models.DateField()
    known_from = models.DateField()
    known_to = models.DateField(null=True, blank=True)

    objects = BitemporalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_link_share",
                condition=Q(low_share__gte=0, high_share__lte=1, high_share__gte=F("low_share")),
            ),
            models.CheckConstraint(
                name="materials_link_value", condition=Q(kusd=None) | Q(kusd__gt=0)
            ),
            models.CheckConstraint(name="materials_link_of_two", condition=~Q(supplier=F("buyer"))),
        ]

    def __str__(self) -> str:
        return f"{self.supplier_id} → {self.buyer_id}"


class Trade(models.Model):
    """What a firm of this node sells to a partner's country, or buys there, a year. Never public.

    The other side is named by its party alone: which firm it is, the row does not say.
    """

    class Direction(models.TextChoices):
        """Which way goods go."""

        SELLS = "sells", _("sells")
        BUYS = "buys", _("buys")

    firm = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="trade")
    party = models.CharField(max_length=2)
    direction = models.CharField(max_length=5, choices=Direction)
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="+")
    kusd = models.FloatField(help_text=_("yearly value in thousand US dollars"))
    evidence = models.CharField(max_length=300)
    valid_from = models.DateField()
    known_from = models.DateField()
    known_to = models.DateField(null=True, blank=True)

    objects = BitemporalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="materials_trade_value", condition=Q(kusd__gt=0)),
            models.CheckConstraint(
                name="materials_trade_known_forwards",
                condition=Q(known_to=None) | Q(known_to__gt=F("known_from")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.firm_id} {self.direction} {self.material_id}"


class Product(Named):
    """Something that materials go into, and that other products go into."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    sector = models.CharField(max_length=60, blank=True)


class Component(models.Model):
    """One line of a bill of materials: a material or a product, how much, and who says so."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="components")
    material = models.ForeignKey(
        Material, on_delete=models.PROTECT, null=True, blank=True, related_name="components"
    )
    part = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="parents"
    )
    quantity = models.FloatField(null=True, blank=True, help_text=_("empty: not published"))
    unit = models.CharField(max_length=40, blank=True)
    is_essential = models.BooleanField(
        default=True, help_text=_("without it the product cannot be made")
    )
    substitutable = models.FloatField(
        default=0.0, help_text=_("share that something else can replace")
    )
    weight = models.FloatField(
        default=0.0, help_text=_("output lost without it, where it is not essential")
    )
    source = models.CharField(max_length=300)
    confirmed = models.CharField(
        max_length=300,
        blank=True,
        help_text=_("where the amount was read, or computed; empty: nobody looked it up"),
    )
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_component_of_one",
                condition=Q(material=None, part__isnull=False)
                | Q(material__isnull=False, part=None),
                violation_error_message=_("A line names a material or a product, not both."),
            ),
            models.CheckConstraint(
                name="materials_component_quantity",
                condition=Q(quantity=None) | Q(quantity__gt=0),
            ),
            models.CheckConstraint(
                name="materials_component_shares",
                condition=Q(substitutable__range=(0, 1), weight__range=(0, 1)),
            ),
            models.CheckConstraint(
                name="materials_component_not_itself",
                condition=Q(part=None) | ~Q(part=F("product")),
            ),
            models.UniqueConstraint(
                fields=["product", "material"],
                condition=Q(part=None),
                name="materials_component_material_once",
            ),
            models.UniqueConstraint(
                fields=["product", "part"],
                condition=Q(material=None),
                name="materials_component_part_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.part_name}"

    @property
    def part_name(self) -> str:
        """Return the name of what goes into the product."""
        named = self.material or self.part
        return named.slug if named else ""


class Event(Named):
    """Something that happened to supply, with its source."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    day = models.DateField()
    is_exact_day = models.BooleanField(default=True)
    actors = models.CharField(max_length=60, help_text=_("ISO 3166-1 codes"))
    materials = models.ManyToManyField(Material, related_name="events", blank=True)
    codes = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=300)


class Measure(Named):
    """What a government decided: a ban, a licence, a quota; from a day, until a day."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    kind = models.CharField(
        max_length=12,
        choices=[
            ("ban", _("Ban")),
            ("licence", _("Licence")),
            ("quota", _("Quota")),
            ("tariff", _("Tariff")),
            ("agreement", _("Agreement")),
            ("subsidy", _("Subsidy")),
        ],
    )
    actors = models.CharField(max_length=60)
    targets = models.CharField(max_length=60, blank=True)
    materials = models.ManyToManyField(Material, related_name="measures", blank=True)
    announced_on = models.DateField(null=True, blank=True)
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_measure_forwards",
                condition=Q(effective_to=None) | Q(effective_to__gte=F("effective_from")),
            )
        ]


class Rule(Named):
    """A rule of eligibility as dated data: what it asks from when to when, by which clause."""

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    family = models.CharField(max_length=40)
    clause = models.CharField(max_length=200)
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    content = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=300)
    confirmed = models.CharField(
        max_length=300, blank=True, help_text=_("where it was read; empty: nobody looked it up")
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_rule_forwards",
                condition=Q(effective_to=None) | Q(effective_to__gte=F("effective_from")),
            )
        ]


class Risk(models.Model):
    """Summary: how concentrated one stage of one material is, from which facts."""

    material = models.ForeignKey(Material, on_delete=models.CASCADE, related_name="risks")
    stage = models.CharField(max_length=8, choices=Stage)
    year = models.PositiveSmallIntegerField()
    publisher = models.CharField(max_length=20)
    leader = models.CharField(max_length=3)
    leader_share = models.FloatField()
    low = models.FloatField(help_text=_("HHI without what no country is named for"))
    high = models.FloatField(help_text=_("HHI with that as one country"))
    governance_low = models.FloatField(null=True, blank=True)
    governance_high = models.FloatField(null=True, blank=True)
    named_share = models.FloatField()
    producers = models.PositiveSmallIntegerField()
    is_latest = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["material", "stage", "year"], name="materials_risk_once"
            ),
            models.CheckConstraint(
                name="materials_risk_bounds",
                condition=Q(low__gte=0, high__gte=F("low"), high__lte=1.000001),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material_id} {self.stage} {self.year}"


class Exposure(models.Model):
    """Summary: what one country buys of one code from whom, and how concentrated that is."""

    importer = models.CharField(max_length=3)
    material = models.ForeignKey(Material, on_delete=models.CASCADE, related_name="exposures")
    stage = models.CharField(max_length=8)
    code = models.CharField(max_length=6)
    is_mixed = models.BooleanField()
    year = models.PositiveSmallIntegerField()
    kusd = models.FloatField()
    tonnes = models.FloatField(null=True, blank=True)
    leader = models.CharField(max_length=3)
    leader_share = models.FloatField()
    concentration = models.FloatField()
    geopolitical = models.FloatField(null=True, blank=True)
    score = models.FloatField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["importer", "-score"], name="materials_exposure_rank")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["importer", "material", "code", "year"], name="materials_exposure_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.importer} {self.code} {self.year}"


class Drawing(models.Model):
    """A chart that a job drew, for one version of the facts and one language."""

    name = models.CharField(max_length=80)
    language = models.CharField(max_length=2)
    version = models.PositiveIntegerField()
    svg = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "language"], name="materials_drawing_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"


class Scenario(models.Model):
    """A what-if: something stops, from a day, for a time. Its answer is kept with its inputs."""

    class Kind(models.TextChoices):
        """What happens, by the engine's names."""

        EXPORT_BAN = "export_ban", _("Export ban")
        EXPORT_QUOTA = "export_quota", _("Export quota")
        MINE_OUT = "mine_out", _("Mines out")
        REFINERY_OUT = "refinery_out", _("Refineries out")
        STRAIT_CLOSED = "strait_closed", _("Strait closed")
        CYBER_ATTACK = "cyber_attack", _("Cyber-attack on firms")
        PRICE_SHOCK = "price_shock", _("Price shock")

    class Answer(models.TextChoices):
        """How far the answer is."""

        WAITING = "waiting", _("waiting")
        READY = "ready", _("answered")
        FAILED = "failed", _("failed")
        STOPPED = "stopped", _("stopped")

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    title = models.CharField(_("title"), max_length=160)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    materials = models.ManyToManyField(Material, related_name="scenarios", blank=True)
    countries = models.CharField(
        _("where it happens"), max_length=200, blank=True, help_text=_("ISO 3166-1 codes")
    )
    importers = models.CharField(
        _("whom it hits"), max_length=200, blank=True, help_text=_("ISO 3166-1 codes; empty: all")
    )
    codes = models.CharField(_("codes"), max_length=200, blank=True)
    straits = models.CharField(_("straits"), max_length=200, blank=True)
    firms = models.CharField(_("firms"), max_length=300, blank=True)
    sites = models.CharField(
        _("sites"), max_length=300, blank=True, help_text=_("names of sites in the registry")
    )
    starts_on = models.DateField(_("first day"))
    days = models.PositiveSmallIntegerField(_("days"), default=365)
    severity = models.FloatField(_("share that is lost"), default=1.0)
    parameters = models.JSONField(default=dict, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    is_public = models.BooleanField(default=False)
    task = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=Answer, default=Answer.WAITING)
    result = models.JSONField(null=True, blank=True)
    why = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_scenario_days",
                condition=Q(days__range=(1, 3650)),
                violation_error_message=_("A scenario lasts 1 to 3650 days."),
            ),
            models.CheckConstraint(
                name="materials_scenario_severity",
                condition=Q(severity__gt=0) & (Q(severity__lte=1) | Q(kind="price_shock")),
                violation_error_message=_(
                    "A share above 0 and at most 1 is lost; 0 would have no effect."
                ),
            ),
            models.CheckConstraint(
                name="materials_scenario_answered",
                condition=Q(state="ready", result__isnull=False, finished_at__isnull=False)
                | ~Q(state="ready"),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Recommendation(models.Model):
    """One alternative of a response plan: what, how much, by whom, at which cost and delay."""

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="recommendations")
    rank = models.PositiveSmallIntegerField()
    kind = models.CharField(
        max_length=10,
        choices=[
            ("supplier", _("Another supplier")),
            ("stock", _("Stock release")),
            ("substitute", _("Substitution")),
            ("recycle", _("Recycling")),
            ("share", _("Sharing between the parties")),
        ],
    )
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="+")
    place = models.CharField(max_length=3)
    origin = models.CharField(max_length=3, blank=True)
    tonnes = models.FloatField()
    usd = models.FloatField(null=True, blank=True)
    delay_days = models.PositiveSmallIntegerField()
    actor = models.CharField(max_length=120)
    marginal_usd = models.FloatField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["scenario", "rank"], name="materials_recommendation_rank"
            ),
            models.CheckConstraint(
                name="materials_recommendation_amount", condition=Q(tonnes__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scenario_id} {self.rank}"


class Plan(models.Model):
    """A response plan that every party approved, sealed and witnessed: the same on every node.

    What is still on its way stands in the border's acts alone.
    """

    act = models.CharField(max_length=100, unique=True)
    record = models.CharField(max_length=300)
    content = models.JSONField()
    reason = models.TextField(blank=True)
    materials = models.ManyToManyField(Material, related_name="plans", blank=True)
    is_current = models.BooleanField(default=True)
    agreed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record"], condition=Q(is_current=True), name="materials_plan_current_once"
            )
        ]

    def __str__(self) -> str:
        return self.act


class Alarm(models.Model):
    """A month in which a series left its habits, or a measure that takes effect, with evidence."""

    class Kind(models.TextChoices):
        """What left its habits."""

        LEVEL = "level", _("Level")
        YEAR_ON_YEAR = "year_on_year", _("Change on the year before")
        UNIT_VALUE = "unit_value", _("Unit value")
        BREADTH = "breadth", _("Many partners at once")
        CALENDAR = "calendar", _("Announced measure")

    kind = models.CharField(max_length=12, choices=Kind)
    series = models.CharField(max_length=80)
    code = models.CharField(max_length=6, blank=True)
    exporter = models.CharField(max_length=3, blank=True)
    month = models.DateField()
    direction = models.SmallIntegerField(
        choices=[(-1, _("below usual")), (0, _("calendar")), (1, _("above usual"))]
    )
    z = models.FloatField(null=True, blank=True)
    usual = models.FloatField(null=True, blank=True)
    found = models.FloatField(null=True, blank=True)
    known_in = models.DateField()
    evidence = models.JSONField(default=dict, blank=True)
    raised_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-month"], name="materials_alarm_newest")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "series", "month", "direction"], name="materials_alarm_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.month:%Y-%m}: {self.kind}"


class Case(models.Model):
    """What people do about an alarm or a fear: an owner, notes, notices, and why it was closed."""

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    title = models.CharField(_("title"), max_length=160)
    materials = models.ManyToManyField(Material, related_name="cases", blank=True)
    alarm = models.ForeignKey(
        Alarm, on_delete=models.PROTECT, null=True, blank=True, related_name="cases"
    )
    scenario = models.ForeignKey(
        Scenario, on_delete=models.SET_NULL, null=True, blank=True, related_name="cases"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closing_reason = models.CharField(_("reason"), max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_case_closed_with_a_reason",
                condition=Q(closed_at=None, closing_reason="")
                | (Q(closed_at__isnull=False) & ~Q(closing_reason="")),
                violation_error_message=_("A case is closed with a reason."),
            )
        ]

    def __str__(self) -> str:
        return self.title


class Note(models.Model):
    """What somebody wrote into a case."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    text = models.TextField(_("note"), max_length=4000)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text[:60]


class Notice(models.Model):
    """A supply-chain disruption notification to the partner (fields of Catena-X CX-0146)."""

    class Status(models.TextChoices):
        """Where a notice is in its life."""

        OPEN = "OPEN", _("Open")
        CLOSED = "CLOSED", _("Closed")

    class Category(models.TextChoices):
        """Why flows are disturbed: the leading root causes of CX-0146."""

        STRIKE = "strike", _("Strike")
        NATURAL_DISASTER = "natural-disaster", _("Natural disaster")
        PRODUCTION_INCIDENT = "production-incident", _("Production incident")
        PANDEMIC = "pandemic-or-epidemic", _("Pandemic or epidemic")
        LOGISTICS = "logistics-disruption", _("Logistics disruption")
        WAR = "war", _("War")
        OTHER = "other", _("Other")

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notices")
    notification_id = models.UUIDField(unique=True)
    related_id = models.UUIDField(null=True, blank=True)
    source_disruption_id = models.UUIDField()
    text = models.CharField(_("what happens"), max_length=1000)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)
    category = models.CharField(
        _("leading root cause"), max_length=24, choices=Category, default=Category.OTHER
    )
    effect = models.CharField(
        _("effect"),
        max_length=20,
        choices=[
            ("demand-reduction", _("Demand falls")),
            ("demand-increase", _("Demand rises")),
            ("capacity-reduction", _("Capacity falls")),
            ("capacity-increase", _("Capacity rises")),
        ],
    )
    sites_sender = models.CharField(_("sites of the sender"), max_length=300, blank=True)
    sites_recipient = models.CharField(_("sites of the recipient"), max_length=300, blank=True)
    materials_affected = models.CharField(_("materials affected"), max_length=300, blank=True)
    start_expected = models.DateField(_("expected beginning"))
    end_expected = models.DateField(_("expected end"), null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    commitment = models.CharField(max_length=64, blank=True)
    decision = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("number of the border's decision that let it go")
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_notice_sent_whole",
                condition=Q(sent_at=None, commitment="", decision=None)
                | (Q(sent_at__isnull=False, decision__isnull=False) & ~Q(commitment="")),
            ),
            models.CheckConstraint(
                name="materials_notice_forwards",
                condition=Q(end_expected=None) | Q(end_expected__gte=F("start_expected")),
                violation_error_message=_("The expected end is not before the beginning."),
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class PartnerNotice(models.Model):
    """A notice that a partner sent: its text is private content of the border, fetched and sealed."""

    party = models.CharField(max_length=2)
    commitment = models.CharField(max_length=64, unique=True)
    said_at = models.DateTimeField()
    case = models.ForeignKey(
        Case, on_delete=models.SET_NULL, null=True, blank=True, related_name="partner_notices"
    )

    def __str__(self) -> str:
        return self.commitment


class Overlap(models.Model):
    """One question about how many suppliers two nodes share, asked or answered here."""

    at = models.DateTimeField()
    partner = models.CharField(max_length=60)
    is_asked_here = models.BooleanField()
    size = models.PositiveIntegerField(help_text=_("how many suppliers were asked about"))
    shared = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("how many both have; the side that answers never learns")
    )
    decision = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_overlap_within",
                condition=Q(shared=None) | Q(shared__lte=F("size"), is_asked_here=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.partner} {self.at:%Y-%m-%d}"


class Released(models.Model):
    """One decision about one figure of stocks: told, or held back. Contributions stay here."""

    key = models.CharField(max_length=60)
    tonnes = models.FloatField()
    contributions = models.JSONField()
    is_published = models.BooleanField()
    why = models.CharField(max_length=20, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_released_or_why",
                condition=Q(is_published=True, why="") | (Q(is_published=False) & ~Q(why="")),
            ),
            models.CheckConstraint(name="materials_released_tonnes", condition=Q(tonnes__gte=0)),
        ]

    def __str__(self) -> str:
        return self.key


class JointRun(models.Model):
    """A cascade through the firms of two nodes of which neither shows the other a firm.

    ``agreed`` is the same on both nodes; ``own`` is about this node's firms and stays here.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("the partner is away")
        READY = "ready", _("answered")
        FAILED = "failed", _("failed")
        STOPPED = "stopped", _("stopped")

    uid = models.CharField(max_length=32, unique=True)
    partner = models.CharField(max_length=60)
    is_opened_here = models.BooleanField()
    title = models.CharField(_("title"), max_length=160, blank=True)
    firms = models.CharField(_("firms"), max_length=300, blank=True)
    severity = models.FloatField(_("share that is lost"), default=0.0)
    products = models.JSONField(default=list, blank=True)
    network = models.CharField(max_length=64, blank=True, help_text=_("digest of the own network"))
    turns = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    agreed = models.JSONField(null=True, blank=True)
    own = models.JSONField(null=True, blank=True)
    why = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    task = models.UUIDField(null=True, blank=True)
    opened_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="materials_joint_run_severity",
                condition=Q(is_opened_here=True, severity__gt=0, severity__lte=1)
                | Q(is_opened_here=False, severity=0, firms=""),
                violation_error_message=_("A share above 0 and at most 1 is lost."),
            ),
            models.CheckConstraint(
                name="materials_joint_run_answered",
                condition=~Q(state="ready")
                | Q(agreed__isnull=False, own__isnull=False, finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.uid

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more can be said in it."""
        return self.state in {self.State.READY, self.State.FAILED, self.State.STOPPED}


class JointMessage(models.Model):
    """One message of a joint run, byte by byte as it crossed the border."""

    run = models.ForeignKey(JointRun, on_delete=models.CASCADE, related_name="messages")
    step = models.PositiveSmallIntegerField()
    is_sent = models.BooleanField()
    content = models.TextField()
    digest = models.CharField(max_length=64)
    decision = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("number of the border's decision that let it go")
    )
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "step", "is_sent"], name="materials_joint_message_once"
            ),
            models.CheckConstraint(
                name="materials_joint_message_decided",
                condition=Q(is_sent=True, decision__isnull=False) | Q(is_sent=False, decision=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.step}"


class Pattern(models.Model):
    """Which figures of stocks a node holds back, would tell and told: what it last said, no value."""

    name = models.CharField(max_length=60, unique=True, help_text=_("of the node"))
    held = models.JSONField()
    open = models.JSONField()
    told = models.JSONField()
    seen = models.JSONField(help_text=_("digests of the patterns that it was made in sight of"))
    index = models.PositiveBigIntegerField(help_text=_("of the statement in the node's log"))
    said_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
