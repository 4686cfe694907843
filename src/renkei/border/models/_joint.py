"""Joint acts: what several parties decide together, as the fold of their statements."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from renkei.border.models._log import LONGEST_NAME, Entry


class Act(models.Model):
    """One proposal to change one record, and what became of it."""

    class Stage(models.TextChoices):
        """How far an act has come; whether it is witnessed is read off the logs."""

        PROPOSED = "proposed", _("proposed")
        APPROVED = "approved", _("approved by every party")
        SEALED = "sealed", _("sealed")
        REJECTED = "rejected", _("rejected")
        EXPIRED = "expired", _("expired")
        SUPERSEDED = "superseded", _("another version was sealed first")

    uid = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=100)
    record = models.CharField(max_length=LONGEST_NAME, db_index=True)
    parent = models.CharField(max_length=64, blank=True)
    content = models.JSONField()
    content_hash = models.CharField(max_length=64)
    home = models.CharField(max_length=LONGEST_NAME)  # origin of the node that seals
    parties = models.JSONField()
    expires = models.CharField(max_length=20)  # RFC 3339 in UTC, as it is signed
    stage = models.CharField(max_length=10, choices=Stage)
    reason = models.TextField()
    proposal = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="act_proposed")
    seal = models.OneToOneField(
        Entry, on_delete=models.PROTECT, null=True, blank=True, related_name="act_sealed"
    )
    version = models.CharField(max_length=64, blank=True)  # hash of the seal: the next parent
    failure = models.TextField(blank=True)  # why the sealed content could not be applied here
    witnessed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    stage__in=[
                        "proposed",
                        "approved",
                        "sealed",
                        "rejected",
                        "expired",
                        "superseded",
                    ]
                ),
                name="border_act_stage",
            ),
            models.CheckConstraint(
                condition=Q(stage="sealed", seal__isnull=False)
                | (~Q(stage="sealed") & Q(seal=None)),
                name="border_act_sealed_has_seal",
            ),
            models.UniqueConstraint(
                fields=["record", "parent"],
                condition=Q(stage="sealed"),
                name="border_act_one_seal_a_version",
                violation_error_message=_("This version of the record has a successor already."),
            ),
        ]

    def __str__(self) -> str:
        """Name the act."""
        return self.uid


class Approval(models.Model):
    """What one party's officer said to an act."""

    act = models.ForeignKey(Act, on_delete=models.PROTECT, related_name="approvals")
    party = models.CharField(max_length=2)
    is_approval = models.BooleanField(default=True)
    officer = models.CharField(max_length=64)  # commitment to the officer's name
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="approval")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["act", "party"], name="border_approval_once")
        ]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.act_id} {self.party}"
