"""Who may act on this node, with which token, and how far its background work is."""

import hashlib
import secrets
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

TOKEN_PREFIX = "rk_"  # noqa: S105  lets secret scanners recognise a leaked one


class Role(models.TextChoices):
    """What a person may do, each per party. ``public`` is everyone and is never granted."""

    OFFICER = "officer", _("Officer")
    BOARD = "board", _("Oversight board")
    RESEARCHER = "researcher", _("Researcher")
    ANALYST = "analyst", _("Analyst")
    OPERATOR = "operator", _("Operator")


class User(AbstractUser):
    """A person with an account on this node."""

    language = models.CharField(
        _("language"), max_length=2, blank=True, choices=[("en", "English"), ("ja", "日本語")]
    )

    @property
    def title(self) -> str:
        """The name shown beside what the person did."""
        return self.get_full_name() or self.get_username()


class GrantQuerySet(models.QuerySet["Grant"]):
    """Grants of roles."""

    def of(self, user: User, *, party: str) -> set[str]:
        """Return the roles that ``user`` holds for ``party``."""
        return set(self.filter(user=user, party=party).values_list("role", flat=True))


class Grant(models.Model):
    """One role of one person for one party."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    party = models.CharField(max_length=2)
    role = models.CharField(max_length=16, choices=Role.choices)
    granted_at = models.DateTimeField(auto_now_add=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "party", "role"], name="base_grant_once"),
            models.CheckConstraint(name="base_grant_known_role", condition=Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} ({self.party})"


class ApiToken(models.Model):
    """A secret with which a program acts for a person; only its hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"

    @classmethod
    def issue(cls, *, user: User, name: str) -> str:
        """Make a token and return its text, which is not kept anywhere."""
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        cls.objects.create(user=user, name=name, digest=cls.digest_of(text))
        return text

    @classmethod
    def find(cls, text: str) -> Self | None:
        """Return the live token with this text."""
        return (
            cls.objects.filter(digest=cls.digest_of(text), revoked_at=None, user__is_active=True)
            .select_related("user")
            .first()
        )

    @staticmethod
    def digest_of(text: str) -> str:
        """Hash a token; it is 256 random bits, so no slow hash is needed."""
        return hashlib.sha256(text.encode()).hexdigest()


class Job(models.Model):
    """How far one background task is, and whether somebody asked it to stop."""

    task = models.UUIDField(primary_key=True)
    title = models.CharField(max_length=120)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.title

    @property
    def percent(self) -> int | None:
        """Return the share that is done, in percent; ``None`` while the total is unknown."""
        return None if not self.total else min(100, 100 * self.done // self.total)

    @property
    def is_cancelling(self) -> bool:
        """Tell whether a stop was asked for and has not happened yet."""
        return self.cancel_asked_at is not None and self.cancelled_at is None
