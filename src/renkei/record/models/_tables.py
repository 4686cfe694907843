"""Tables of the record. A commitment's columns are what its published claims say.

Every fact is a ``Claim``; an officer publishes one per field and its rivals stay. What pages list,
filter and sort by is projected from the published claims into ``Commitment`` in the same
transaction, and what they add up into ``Total`` and ``Tally``. ``Change`` is the history.
"""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from renkei.record import engine
from renkei.record.models._words import LABELS, language


def _choices(vocabulary: str) -> list[tuple[str, Any]]:
    return list(LABELS[vocabulary].items())


def _known(vocabulary: str, field: str, name: str) -> models.CheckConstraint:
    """Let the database refuse a code that the vocabulary does not have."""
    return models.CheckConstraint(
        name=name,
        condition=Q(**{f"{field}__in": engine.VOCABULARY[vocabulary]}),
        violation_error_message=_("%(field)s has a value that the record does not know.")
        % {"field": field},
    )


def _code(vocabulary: str, **options: Any) -> models.CharField[str, str]:
    return models.CharField(max_length=32, choices=_choices(vocabulary), **options)


class Bilingual(models.Model):
    """Texts that exist in English and Japanese: ``said("title")`` picks the reader's."""

    class Meta:
        abstract = True

    def said(self, field: str) -> str:
        """Return a text in the active language."""
        return str(getattr(self, f"{field}_{language()}"))

    @property
    def title(self) -> str:
        """Return the title in the active language."""
        return self.said("title")


class Lineage(Bilingual):
    """Documents that go back to the same account count as one line of evidence."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    reason_en = models.TextField(blank=True)
    reason_ja = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.title


class Source(Bilingual):
    """A document that claims rest on; its text is here only after somebody attached it."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    publisher_en = models.CharField(max_length=300, blank=True)
    publisher_ja = models.CharField(max_length=300, blank=True)
    genre_en = models.CharField(max_length=120, blank=True)
    genre_ja = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=8, default="en")
    published = models.CharField(max_length=10, blank=True)
    published_note_en = models.TextField(blank=True)
    published_note_ja = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    characters = models.PositiveIntegerField()
    original_file = models.CharField(max_length=200, blank=True)
    address = models.URLField(max_length=500, blank=True)
    doi = models.CharField(max_length=120, blank=True)
    reliability = _code("reliability")
    reliability_reason_en = models.TextField(blank=True)
    reliability_reason_ja = models.TextField(blank=True)
    lineage = models.ForeignKey(Lineage, on_delete=models.PROTECT, related_name="sources")
    zones = models.JSONField(default=list, blank=True)
    money_mentions = models.JSONField(default=list, blank=True)
    attached_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [_known("reliability", "reliability", "record_source_reliability")]

    def __str__(self) -> str:
        return self.slug


class Organisation(Bilingual):
    """A body that takes part, pays, signs or is spoken of."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    kind = _code("organisation")
    country = models.CharField(max_length=8, blank=True)
    aliases = models.JSONField(default=list, blank=True)
    ror = models.CharField(max_length=40, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [_known("organisation", "kind", "record_organisation_kind")]

    def __str__(self) -> str:
        return self.slug


class Agreement(Bilingual):
    """An instrument under which commitments are made."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    kind = _code("agreement")
    parties = models.CharField(max_length=120, blank=True)
    signed = models.CharField(max_length=10, blank=True)
    binding = _code("binding", default="unknown")
    note_en = models.TextField(blank=True)
    note_ja = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            _known("agreement", "kind", "record_agreement_kind"),
            _known("binding", "binding", "record_agreement_binding"),
        ]

    def __str__(self) -> str:
        return self.slug


class Cluster(Bilingual):
    """Records of several documents that are one commitment; its lead alone is counted."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)

    def __str__(self) -> str:
        return self.slug


class CommitmentQuerySet(models.QuerySet["Commitment"]):
    """Commitments by what pages and programs ask for."""

    def of_party(self, party: str) -> Self:
        """Keep those that name ``party``."""
        return self.filter(
            Q(parties=party)
            | Q(parties__startswith=f"{party},")
            | Q(parties__endswith=f",{party}")
            | Q(parties__contains=f",{party},")
        )

    def counted(self) -> Self:
        """Keep those whose money may enter a sum."""
        return self.filter(is_counted=True)


class Commitment(Bilingual):
    """One promise as one document tells it; the columns below are projected from its claims."""

    slug = models.SlugField(max_length=80, unique=True)
    record_class = _code("class", default="commitment")
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    note_en = models.TextField(blank=True)
    note_ja = models.TextField(blank=True)
    scope = _code("scope", default="bilateral")
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="commitments", null=True, blank=True
    )
    agreement = models.ForeignKey(
        Agreement, on_delete=models.SET_NULL, related_name="commitments", null=True, blank=True
    )
    part_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="parts", null=True, blank=True
    )
    cluster = models.ForeignKey(
        Cluster, on_delete=models.SET_NULL, related_name="members", null=True, blank=True
    )
    related = models.ManyToManyField("self", blank=True)
    is_lead = models.BooleanField(default=True)
    # From published claims:
    domain = _code("domain", default="general")
    kind = _code("kind", default="agreement")
    status = _code("status", default="announced")
    funding_source = _code("funding_source", default="unknown")
    parties = models.CharField(max_length=120, blank=True)
    period = models.CharField(max_length=24, blank=True)
    dated = models.CharField(max_length=10, blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    amount_currency = models.CharField(max_length=3, blank=True)
    amount_qualifier = models.CharField(max_length=16, blank=True)
    amount_nature = models.CharField(max_length=32, blank=True)
    amount_side = models.CharField(max_length=8, blank=True)
    amount_relation = models.CharField(max_length=16, blank=True)
    is_counted = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CommitmentQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # With all that lists choose by: walking it reads no row that is not shown.
            models.Index(
                fields=[
                    "-updated_at",
                    "-id",
                    "domain",
                    "kind",
                    "status",
                    "scope",
                    "record_class",
                    "parties",
                    "amount_nature",
                    "source",
                ],
                name="record_commitment_newest",
            ),
            models.Index(fields=["-amount_minor", "-id"], name="record_commitment_amount"),
            models.Index(fields=["title_en", "id"], name="record_commitment_title_en"),
            # Titles begin with their subject: walking all titles finds none of a domain for long.
            models.Index(fields=["domain", "title_en", "id"], name="record_commitment_domain_en"),
            models.Index(fields=["domain", "title_ja", "id"], name="record_commitment_domain_ja"),
            models.Index(fields=["title_ja", "id"], name="record_commitment_title_ja"),
            models.Index(fields=["-dated", "-id"], name="record_commitment_dated"),
        ]
        constraints: ClassVar = [
            _known("class", "record_class", "record_commitment_class"),
            _known("domain", "domain", "record_commitment_domain_known"),
            _known("kind", "kind", "record_commitment_kind_known"),
            _known("status", "status", "record_commitment_status_known"),
            _known("scope", "scope", "record_commitment_scope_known"),
            _known("funding_source", "funding_source", "record_commitment_funding_known"),
            models.CheckConstraint(
                name="record_commitment_amount_whole",
                condition=Q(amount_minor=None, amount_currency="")
                | (Q(amount_minor__gte=0) & ~Q(amount_currency="")),
                violation_error_message=_("An amount has a currency and is not negative."),
            ),
            models.CheckConstraint(
                name="record_commitment_not_its_own_part",
                condition=Q(part_of=None) | ~Q(part_of=models.F("id")),
                violation_error_message=_("A record cannot be part of itself."),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def amount(self) -> Decimal | None:
        """Return the published amount in its own currency."""
        if self.amount_minor is None:
            return None
        return engine.from_minor(self.amount_minor, self.amount_currency)


def belongings(commitment: int) -> set[str]:
    """Return which relations of a commitment have rows at all, in one question for all of them."""
    asked = {
        "parts": ("record_commitment", "part_of_id"),
        "related": ("record_commitment_related", "from_commitment_id"),
        "lookalikes": ("record_lookalike_members", "commitment_id"),
        "findings": ("record_finding_commitments", "commitment_id"),
        "milestones": ("record_milestone", "commitment_id"),
        "outcomes": ("record_outcome", "commitment_id"),
    }
    sql = ", ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {column} = %s)" for table, column in asked.values()
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", [commitment] * len(asked))
        return {name for name, there in zip(asked, cursor.fetchone(), strict=True) if there}


class Participation(models.Model):
    """An organisation's role in a commitment, and where that is said."""

    commitment = models.ForeignKey(
        Commitment, on_delete=models.CASCADE, related_name="participations", db_index=False
    )  # its index is that of record_participation_once
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="participations", db_index=False
    )  # its index is that of its page, below
    role = _code("role")
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-commitment"], name="record_participation_of")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["commitment", "organisation", "role"], name="record_participation_once"
            ),
            _known("role", "role", "record_participation_role"),
        ]

    def __str__(self) -> str:
        return f"{self.organisation}: {self.role}"


class Claim(models.Model):
    """What one passage says about one field; money claims have an ``Amount`` beside them."""

    commitment = models.ForeignKey(Commitment, on_delete=models.CASCADE, related_name="claims")
    field = models.CharField(max_length=60)
    value = models.CharField(max_length=engine.LONGEST_VALUE)
    qualifier = _code("qualifier", default="exact")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="claims")
    passages = models.JSONField(default=list, blank=True)
    seen_on = models.DateField()
    is_published = models.BooleanField(default=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # nobody asks for all that one person did
    )
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["commitment", "field"],
                condition=Q(is_published=True),
                name="record_claim_one_published",
            ),
            _known("qualifier", "qualifier", "record_claim_qualifier"),
        ]

    def __str__(self) -> str:
        return f"{self.commitment}: {self.field} = {self.value}"

    @property
    def is_money(self) -> bool:
        """Tell whether the claim is an amount."""
        return engine.is_money(self.field)


class Amount(models.Model):
    """The money of a claim: who pays, what kind of money, how far, and how it relates."""

    claim = models.OneToOneField(
        Claim, on_delete=models.CASCADE, primary_key=True, related_name="amount"
    )
    commitment = models.ForeignKey(Commitment, on_delete=models.CASCADE, related_name="amounts")
    minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    side = models.CharField(max_length=8)
    nature = _code("nature")
    stage = _code("stage")
    relation = _code("relation")
    converted_minor = models.BigIntegerField(null=True, blank=True)
    converted_currency = models.CharField(max_length=3, blank=True)
    rate = models.CharField(max_length=24, blank=True)
    rate_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            _known("nature", "nature", "record_amount_nature"),
            _known("stage", "stage", "record_amount_stage"),
            _known("relation", "relation", "record_amount_relation"),
            models.CheckConstraint(
                name="record_amount_not_negative",
                condition=Q(minor__gte=0),
                violation_error_message=_("An amount is not negative."),
            ),
            models.CheckConstraint(
                name="record_amount_conversion_whole",
                condition=Q(converted_minor=None, converted_currency="", rate="", rate_on=None)
                | (
                    Q(converted_minor__gte=0, rate_on__isnull=False)
                    & ~Q(converted_currency="")
                    & ~Q(rate="")
                ),
                violation_error_message=_("A conversion has amount, currency, rate and date."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.value}"

    @property
    def value(self) -> Decimal:
        """Return the amount in its own currency."""
        return engine.from_minor(self.minor, self.currency)

    @property
    def converted(self) -> Decimal | None:
        """Return the converted amount, where the claim carries one."""
        if self.converted_minor is None:
            return None
        return engine.from_minor(self.converted_minor, self.converted_currency)


class Milestone(Bilingual):
    """What is due when; delivered only with evidence that a named person assessed."""

    commitment = models.ForeignKey(Commitment, on_delete=models.CASCADE, related_name="milestones")
    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    due = models.CharField(max_length=10)
    due_last = models.DateField(db_index=True)
    metric = models.CharField(max_length=60, blank=True)
    target = models.CharField(max_length=40, blank=True)
    state = _code("milestone", default="open")
    evidence = models.CharField(max_length=500, blank=True)
    evidence_address = models.URLField(max_length=500, blank=True)
    assessor = models.CharField(max_length=200, blank=True)
    assessed_on = models.DateField(null=True, blank=True)
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, null=True, blank=True, related_name="milestones"
    )
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["state", "due_last"], name="record_milestone_due"),
            models.Index(fields=["state", "-assessed_on"], name="record_milestone_assessed"),
        ]
        constraints: ClassVar = [
            _known("milestone", "state", "record_milestone_state"),
            models.CheckConstraint(
                name="record_milestone_delivered_is_assessed",
                condition=~Q(state="delivered")
                | (~Q(evidence="") & ~Q(assessor="") & Q(assessed_on__isnull=False)),
                violation_error_message=_(
                    "A delivered milestone has evidence, an assessor and the day of assessment."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def state_on(self, day: date) -> str:
        """Return its state, where what is open and past its last day is ``overdue``."""
        return state_on(self, day)


def state_on(milestone: Any, day: date) -> str:
    """Return ``Milestone.state_on`` of a row that has its columns."""
    is_late = milestone.state == "open" and milestone.due_last < day
    return "overdue" if is_late else str(milestone.state)


class Disbursement(models.Model):
    """Money that was paid; a correction replaces the row and leaves it readable."""

    commitment = models.ForeignKey(
        Commitment, on_delete=models.CASCADE, related_name="disbursements"
    )
    minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    side = models.CharField(max_length=8)
    nature = _code("nature")
    paid_on = models.DateField()
    recipient = models.ForeignKey(
        Organisation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="received",
        db_index=False,  # its index is that of its page, below
    )
    source = models.ForeignKey(
        Source,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="disbursements",
        db_index=False,  # most have none: the index below leaves them out
    )
    evidence = models.CharField(max_length=500, blank=True)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    is_current = models.BooleanField(default=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # nobody asks for all that one person did
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["source"],
                condition=Q(source__isnull=False),
                name="record_disbursement_source",
            ),
            models.Index(
                fields=["recipient", "-paid_on"],
                condition=Q(recipient__isnull=False),
                name="record_disbursement_recipient",
            ),
        ]
        constraints: ClassVar = [
            _known("nature", "nature", "record_disbursement_nature"),
            models.CheckConstraint(
                name="record_disbursement_not_negative",
                condition=Q(minor__gte=0),
                violation_error_message=_("An amount is not negative."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.value} ({self.paid_on})"

    @property
    def value(self) -> Decimal:
        """Return the amount in its own currency."""
        return engine.from_minor(self.minor, self.currency)


class Outcome(Bilingual):
    """What research gave: a publication, a data set, a model, a program."""

    commitment = models.ForeignKey(
        Commitment, on_delete=models.CASCADE, related_name="outcomes", db_index=False
    )  # its index is that of record_outcome_once
    kind = _code("outcome")
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)
    identifier = models.CharField(max_length=200)
    address = models.URLField(max_length=500, blank=True)
    published_on = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            _known("outcome", "kind", "record_outcome_kind"),
            models.UniqueConstraint(
                fields=["commitment", "identifier"], name="record_outcome_once"
            ),
        ]

    def __str__(self) -> str:
        return self.identifier


GRAVITY = models.Case(
    *(
        models.When(severity=code, then=models.Value(place))
        for place, code in enumerate(engine.VOCABULARY["severity"])
    ),
    output_field=models.IntegerField(),
)
"""How grave a finding is: 0 is the gravest."""


class Finding(Bilingual):
    """A contradiction or gap, with the passages on both sides and what an officer decided."""

    slug = models.SlugField(max_length=80, unique=True)
    kind = _code("finding_type")
    severity = _code("severity")
    detectable = _code("detectable")
    title_en = models.TextField()
    title_ja = models.TextField()
    suggestion_en = models.TextField(blank=True)
    suggestion_ja = models.TextField(blank=True)
    evidence = models.JSONField(default=list, blank=True)
    commitments = models.ManyToManyField(Commitment, related_name="findings", blank=True)
    state = _code("finding", default="open")
    decision_en = models.TextField(blank=True)
    decision_ja = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            # All that lists choose and sort by: they read the texts of their own page alone.
            models.Index(
                fields=["severity", "state", "kind", "detectable"], name="record_finding_facets"
            ),
            # The gravest first, as the list shows them.
            models.Index(GRAVITY, "id", name="record_finding_gravest"),
        ]
        constraints: ClassVar = [
            _known("finding_type", "kind", "record_finding_kind"),
            _known("severity", "severity", "record_finding_severity"),
            _known("detectable", "detectable", "record_finding_detectable"),
            _known("finding", "state", "record_finding_state"),
            models.CheckConstraint(
                name="record_finding_decided_says_what",
                condition=Q(state="open")
                | (~Q(decision_en="") & ~Q(decision_ja="") & Q(decided_at__isnull=False)),
                violation_error_message=_("A decided finding says what was decided, and when."),
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class Joint(models.Model):
    """Something of the record that every party approved: which joint act made it."""

    act = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)
    commitment = models.ForeignKey(
        Commitment, on_delete=models.CASCADE, null=True, blank=True, related_name="joint"
    )
    finding = models.ForeignKey(
        Finding, on_delete=models.CASCADE, null=True, blank=True, related_name="joint"
    )
    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, null=True, blank=True, related_name="joint"
    )
    is_witnessed = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="record_joint_is_about_one_thing",
                condition=Q(commitment__isnull=False, finding=None, agreement=None)
                | Q(commitment=None, finding__isnull=False, agreement=None)
                | Q(commitment=None, finding=None, agreement__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.act


class FindingSide(Bilingual):
    """One passage of a finding and what it says, in our words."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="sides")
    position = models.PositiveSmallIntegerField()
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="finding_sides")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    title_en = models.CharField(max_length=300)
    title_ja = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "position"], name="record_side_position")
        ]

    def __str__(self) -> str:
        return f"{self.finding}: {self.title}"


class Lookalike(Bilingual):
    """Records that look the same and are not: merging them would be an error."""

    slug = models.SlugField(max_length=80, unique=True)
    title_en = models.TextField()
    title_ja = models.TextField()
    members = models.ManyToManyField(Commitment, related_name="lookalikes")

    def __str__(self) -> str:
        return self.slug


class Change(models.Model):
    """One line of the history: who changed what, from what to what, and why."""

    at = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # nobody asks for all that one person did
    )
    reason = models.CharField(max_length=500)
    verb = models.CharField(max_length=40)
    subject = models.CharField(max_length=20)  # commitment, source, organisation, finding
    slug = models.CharField(max_length=80)
    field = models.CharField(max_length=60, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    version = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["subject", "slug", "-id"], name="record_change_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.slug}: {self.verb}"


class Total(models.Model):
    """A sum within one domain, side, nature, currency and stage; changes with the facts."""

    domain = models.CharField(max_length=32)
    side = models.CharField(max_length=8)
    nature = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    stage = models.CharField(max_length=32)
    minor = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["domain", "side", "nature", "currency", "stage"], name="record_total_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.domain} {self.side} {self.nature} {self.stage}: {self.currency} {self.value}"

    @property
    def value(self) -> Decimal:
        """Return the sum in its currency."""
        return engine.from_minor(self.minor, self.currency)


class Exposure(models.Model):
    """What a careless sum would add up, kept to be shown as a warning beside what is counted.

    ``is_counted`` rows hold the amounts of records that are counted once, the others the rest; both
    by the source they rest on (its slug). The dashboard shows why no such sum is a figure of the
    programme.
    """

    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=80, blank=True)
    is_counted = models.BooleanField()
    minor = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["currency", "source", "is_counted"], name="record_exposure_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.source} {self.is_counted}: {self.minor}"


class Tally(models.Model):
    """How many commitments there are of each combination of facets; changes with the facts."""

    record_class = models.CharField(max_length=32)
    domain = models.CharField(max_length=32)
    kind = models.CharField(max_length=32)
    status = models.CharField(max_length=32)
    scope = models.CharField(max_length=32)
    parties = models.CharField(max_length=120)
    count = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record_class", "domain", "kind", "status", "scope", "parties"],
                name="record_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.domain} {self.kind} {self.status}: {self.count}"


class MilestoneTally(models.Model):
    """How many milestones each domain has in each state; changes with the facts."""

    domain = models.CharField(max_length=32)
    state = models.CharField(max_length=32)
    count = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["domain", "state"], name="record_milestonetally_once")
        ]

    def __str__(self) -> str:
        return f"{self.domain} {self.state}: {self.count}"


class State(models.Model):
    """The one row that changes with every change: what pages are cached by."""

    version = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="record_state_single", condition=Q(id=1))
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


def next_version() -> State:
    """Hold the record's lock until the transaction ends, and count up the version of the facts."""
    state, _created = State.objects.select_for_update().get_or_create(pk=1)
    state.version += 1
    state.changed_at = timezone.now()
    state.save()
    return state


class Drawing(models.Model):
    """A chart as SVG, drawn by a job for one version of the facts and one day."""

    name = models.CharField(max_length=40)
    language = models.CharField(max_length=2)
    version = models.PositiveBigIntegerField()
    drawn_on = models.DateField()
    svg = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "language"], name="record_drawing_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"
