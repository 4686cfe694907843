"""Agreements with their versions and clauses; decisions, duties, and what left the country.

Decisions and the ledger of outgoing bytes are written once and never changed. An agreement's text
is its version's ``document``; ``Clause`` repeats its clauses for lists, in the same transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from renkei.border import engine

LONGEST_NAME = 200


def in_language(texts: Mapping[str, str]) -> str:
    """Return a text in the reader's language."""
    return texts["ja" if (get_language() or "en").startswith("ja") else "en"]


class Agreement(models.Model):
    """One agreement through all its versions."""

    uid = models.CharField(max_length=LONGEST_NAME, unique=True)
    slug = models.CharField(max_length=80, unique=True)
    home = models.CharField(max_length=31, blank=True)  # the node that seals it; empty: this one

    def __str__(self) -> str:
        """Name it."""
        return self.uid

    @property
    def current(self) -> "AgreementVersion | None":
        """Return the version in force."""
        return self.versions.filter(state=AgreementVersion.State.IN_FORCE).first()


class AgreementVersionQuerySet(models.QuerySet["AgreementVersion"]):
    """Versions of agreements."""

    def in_force(self) -> Self:
        """Return what decides now."""
        return self.filter(state=AgreementVersion.State.IN_FORCE)


class AgreementVersion(models.Model):
    """One text of an agreement: a local draft, or what the parties sealed."""

    class State(models.TextChoices):
        """Where a version stands."""

        DRAFT = "draft", _("Draft")
        PROPOSED = "proposed", _("Proposed")
        IN_FORCE = "in_force", _("In force")
        REPLACED = "replaced", _("Replaced")

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    document = models.JSONField()
    digest = models.CharField(max_length=64, db_index=True)
    title_en = models.CharField(max_length=engine.LONGEST_TITLE)
    title_ja = models.CharField(max_length=engine.LONGEST_TITLE)
    assigner = models.CharField(max_length=LONGEST_NAME)
    assignees = models.JSONField()
    targets = models.JSONField()
    concluded_at = models.DateTimeField()
    act = models.CharField(max_length=100, blank=True)  # the joint act that sealed it
    drafted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    drafted_at = models.DateTimeField()
    adopted_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)

    objects = AgreementVersionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="border_version_known_state",
                condition=Q(state__in=["draft", "proposed", "in_force", "replaced"]),
            ),
            models.UniqueConstraint(
                name="border_version_one_in_force",
                fields=["agreement"],
                condition=Q(state="in_force"),
                violation_error_message=_("One version of an agreement is in force at a time."),
            ),
            models.UniqueConstraint(
                name="border_version_one_draft",
                fields=["agreement"],
                condition=Q(state="draft"),
            ),
            models.CheckConstraint(
                name="border_version_in_force_has_act",
                condition=Q(state__in=["draft", "proposed"], adopted_at=None, act="")
                | (Q(state__in=["in_force", "replaced"], adopted_at__isnull=False) & ~Q(act="")),
                violation_error_message=_("What is in force came from a joint act."),
            ),
            models.CheckConstraint(
                name="border_version_replaced_has_time",
                condition=Q(state="replaced", replaced_at__isnull=False)
                | (~Q(state="replaced") & Q(replaced_at=None)),
            ),
        ]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.agreement_id}/{self.number} ({self.state})"

    @property
    def title(self) -> str:
        """Return its title in the reader's language."""
        return in_language({"en": self.title_en, "ja": self.title_ja})

    @property
    def is_draft(self) -> bool:
        """Tell whether it may still be changed here."""
        return self.state == self.State.DRAFT


class Clause(models.Model):
    """One clause of a version: both texts with their hashes."""

    version = models.ForeignKey(AgreementVersion, on_delete=models.CASCADE, related_name="clauses")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=12)
    action = models.CharField(max_length=LONGEST_NAME)
    text_en = models.TextField()
    text_ja = models.TextField()
    hash_en = models.CharField(max_length=64)
    hash_ja = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "name"], name="border_clause_once"),
            models.CheckConstraint(
                name="border_clause_both_texts",
                condition=~Q(text_en="") & ~Q(text_ja=""),
                violation_error_message=_("A clause has a text in English and one in Japanese."),
            ),
            models.CheckConstraint(
                name="border_clause_known_kind",
                condition=Q(kind__in=["permission", "prohibition", "obligation"]),
            ),
        ]

    def __str__(self) -> str:
        """Name it."""
        return self.name


class ClauseUse(models.Model):
    """How often a clause that limits its use was used, through all versions of its agreement."""

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="uses")
    clause = models.CharField(max_length=40)
    times = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agreement", "clause"], name="border_clause_use_once")
        ]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.agreement_id}/{self.clause}: {self.times}"


class Decision(models.Model):
    """One answered request: who asked what, and why it was allowed or denied."""

    at = models.DateTimeField(db_index=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    action = models.CharField(max_length=LONGEST_NAME)
    target = models.CharField(max_length=LONGEST_NAME, db_index=True)
    recipient = models.CharField(max_length=LONGEST_NAME)
    recipient_party = models.CharField(max_length=LONGEST_NAME, blank=True)
    purpose = models.CharField(max_length=LONGEST_NAME, blank=True)
    spatial = models.CharField(max_length=LONGEST_NAME, blank=True)
    classification = models.CharField(max_length=LONGEST_NAME, blank=True)
    output_type = models.CharField(max_length=LONGEST_NAME, blank=True)
    allow = models.BooleanField()
    version = models.ForeignKey(
        AgreementVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decisions",
    )
    clause = models.CharField(max_length=40, blank=True)
    agreement_hash = models.CharField(max_length=64, blank=True)
    policy_version = models.CharField(max_length=64)
    why = models.JSONField()
    trace = models.JSONField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="border_decision_allowed_by_a_clause",
                condition=Q(allow=False)
                | (Q(version__isnull=False) & ~Q(clause="") & ~Q(agreement_hash="")),
                violation_error_message=_("A clause of an agreement allows; nothing else does."),
            )
        ]
        indexes: ClassVar = [models.Index(fields=["recipient", "id"], name="border_decision_who")]

    def __str__(self) -> str:
        """Say it in short."""
        return f"{self.recipient} {self.action} {self.target}: {self.allow}"

    @property
    def request(self) -> engine.Request:
        """Return what was asked."""
        return engine.Request(
            action=self.action,
            target=self.target,
            recipient=self.recipient,
            recipient_party=self.recipient_party,
            purpose=self.purpose,
            spatial=self.spatial,
            classification=self.classification,
            output_type=self.output_type,
        )

    @property
    def reason(self) -> engine.Reason:
        """Return why, to be said in any language."""
        return engine.Reason.from_json(self.why)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Return what each clause had to say."""
        return [{**step, "why": engine.Reason.from_json(step["why"])} for step in self.trace]


class ObligationQuerySet(models.QuerySet["Obligation"]):
    """Obligations."""

    def open(self) -> Self:
        """Return what nobody has fulfilled."""
        return self.filter(fulfilled_at=None)

    def overdue(self, now: datetime) -> Self:
        """Return what should have been fulfilled before ``now``."""
        return self.open().filter(due_at__lt=now)


class Obligation(models.Model):
    """Something that must be done by a day, because of a decision or of an agreement itself."""

    version = models.ForeignKey(
        AgreementVersion, on_delete=models.PROTECT, related_name="obligations"
    )
    decision = models.ForeignKey(
        Decision, on_delete=models.PROTECT, null=True, blank=True, related_name="obligations"
    )
    clause = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    action = models.CharField(max_length=8)
    target = models.CharField(max_length=LONGEST_NAME, blank=True)
    debtor = models.CharField(max_length=LONGEST_NAME)  # who has to do it
    party = models.CharField(max_length=LONGEST_NAME)
    due_at = models.DateTimeField(db_index=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    fulfilled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    evidence = models.TextField(blank=True)

    objects = ObligationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="border_obligation_known_action",
                condition=Q(action__in=["delete", "report"]),
            ),
            models.CheckConstraint(
                name="border_obligation_fulfilled_with_evidence",
                condition=Q(fulfilled_at=None, evidence="")
                | (Q(fulfilled_at__isnull=False) & ~Q(evidence="")),
                violation_error_message=_("What is fulfilled says how."),
            ),
            models.UniqueConstraint(
                name="border_obligation_once",
                fields=["version", "clause", "name", "party"],
                condition=Q(decision=None),
            ),
        ]

    def __str__(self) -> str:
        """Say it in short."""
        return f"{self.debtor} {self.action} {self.due_at:%Y-%m-%d}"


class OutgoingBytes(models.Model):
    """One stream of bytes that left this country, under the decision that allowed it."""

    at = models.DateTimeField(db_index=True)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="release")
    version = models.ForeignKey(AgreementVersion, on_delete=models.PROTECT, related_name="releases")
    clause = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    target = models.CharField(max_length=LONGEST_NAME)
    recipient = models.CharField(max_length=LONGEST_NAME)
    recipient_party = models.CharField(max_length=LONGEST_NAME)
    channel = models.CharField(max_length=80)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="border_outgoing_is_named",
                condition=Q(digest__regex=r"^[0-9a-f]{64}$") & Q(size__gte=0) & ~Q(clause=""),
            ),
            models.CheckConstraint(
                name="border_outgoing_has_recipient",
                condition=~Q(recipient="") & ~Q(recipient_party=""),
            ),
        ]

    def __str__(self) -> str:
        """Say it in short."""
        return f"{self.digest[:12]} -> {self.recipient}"
