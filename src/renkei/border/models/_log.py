"""Logs, their entries and checkpoints, what this node witnessed, and what went wrong."""

from collections.abc import Sequence
from typing import ClassVar

from django.db import connections, models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

LONGEST_NAME = 200


class Log(models.Model):
    """One append-only log: this node's own, or the mirror of a partner's.

    ``size`` and ``frontier`` describe what is in ``Entry``: of the own log what was accepted, of a
    mirror what was fetched and verified. ``published`` is the size of the newest signed checkpoint
    that this node served (own log) or verified (mirror).
    """

    origin = models.CharField(max_length=LONGEST_NAME, unique=True)
    name = models.CharField(max_length=31, unique=True)
    party = models.CharField(max_length=2)
    is_own = models.BooleanField(default=False)
    size = models.PositiveBigIntegerField(default=0)
    frontier = models.BinaryField()
    published = models.PositiveBigIntegerField(default=0)
    exported = models.PositiveBigIntegerField(default=0)  # entries whose full tiles are files

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_own"], condition=Q(is_own=True), name="border_log_one_own"
            ),
            models.CheckConstraint(
                condition=Q(exported__lte=F("size")),
                name="border_log_exported_is_saved",
                violation_error_message=_("Tiles are made of saved entries alone."),
            ),
        ]

    def __str__(self) -> str:
        """Name the log."""
        return self.origin


class Fate(models.TextChoices):
    """What became of an entry on this node."""

    APPLIED = "applied", _("applied")
    WAITING = "waiting", _("waiting for what it refers to")
    QUARANTINED = "quarantined", _("dated in the future")
    UNKNOWN = "unknown", _("of an unknown type: kept, not applied")
    REFUSED = "refused", _("refused")
    INVALID = "invalid", _("not a valid statement")


_ENTRY_COLUMNS = (
    "log_id", "index", "leaf", "data", "type", "uid", "record", "fate", "why", "is_about_keys",
)  # fmt: skip


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries of logs."""

    def append(self, entries: Sequence["Entry"]) -> None:
        """Save new entries of one log that follow one another, and give them their keys.

        Row by row through the driver: a mirror that catches up saves a hundred thousand of them.
        """
        if not entries:
            return
        names = ", ".join(f'"{name}"' for name in _ENTRY_COLUMNS)
        marks = ", ".join(["%s"] * len(_ENTRY_COLUMNS))
        with connections[self.db].cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO border_entry ({names}) VALUES ({marks})",
                [
                    (
                        entry.log_id, entry.index, entry.leaf, entry.data, entry.type, entry.uid,
                        entry.record, str(entry.fate), entry.why, entry.is_about_keys,
                    )
                    for entry in entries
                ],
            )  # fmt: skip
        first, last = entries[0], entries[-1]
        saved = self.filter(log=first.log_id, index__range=(first.index, last.index))
        keys = dict(saved.values_list("index", "pk"))
        for entry in entries:
            entry.pk = keys[entry.index]

    def about_keys(self, log: Log) -> "EntryQuerySet":
        """Return the valid statements of a log that found, rotate or revoke keys, in its order."""
        return self.filter(log=log, is_about_keys=True).order_by("index")


class Entry(models.Model):
    """One entry of a log, byte for byte."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="entries")
    index = models.PositiveBigIntegerField()
    leaf = models.BinaryField()
    data = models.BinaryField()
    type = models.CharField(max_length=100)
    uid = models.CharField(max_length=100)
    record = models.CharField(max_length=LONGEST_NAME)
    fate = models.CharField(max_length=11, choices=Fate)
    why = models.TextField(blank=True)
    is_about_keys = models.BooleanField(default=False)  # and valid: whose signatures hold is folded

    objects = EntryQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log", "index"], name="border_entry_once"),
            models.CheckConstraint(condition=Q(fate__in=Fate.values), name="border_entry_fate"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["record"], name="border_entry_record", condition=~Q(record="")),
            models.Index(
                fields=["log", "index"],
                name="border_entry_keys",
                condition=Q(is_about_keys=True),
            ),
            models.Index(
                fields=["fate"],
                name="border_entry_pending",
                condition=Q(fate__in=["waiting", "quarantined"]),
            ),
            models.Index(
                fields=["log", "index"],
                name="border_entry_trouble",
                condition=Q(fate__in=["refused", "invalid", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        """Name the entry."""
        return f"{self.log_id}/{self.index}"


class Node(models.Model):
    """The root of a full tile of a log: what the tile above it holds."""

    log = models.ForeignKey(Log, on_delete=models.CASCADE, related_name="nodes")
    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    hash = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log", "level", "index"], name="border_node_once")
        ]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.log_id}/{self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed checkpoint of a log, with every cosignature that was collected for it."""

    log = models.ForeignKey(Log, on_delete=models.CASCADE, related_name="checkpoints")
    size = models.PositiveBigIntegerField()
    root = models.BinaryField()
    note = models.BinaryField()
    is_witnessed = models.BooleanField(default=False)  # the quorum of the policy is on it
    signed_at = models.DateTimeField()
    witnessed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["log", "size"], name="border_checkpoint_once"),
            models.CheckConstraint(
                condition=Q(is_witnessed=True, witnessed_at__isnull=False)
                | Q(is_witnessed=False, witnessed_at=None),
                name="border_checkpoint_witnessed_has_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["log", "-size"],
                name="border_checkpoint_proven",
                condition=Q(is_witnessed=True),
            )
        ]

    def __str__(self) -> str:
        """Name the checkpoint."""
        return f"{self.log_id}@{self.size}"


class Witnessed(models.Model):
    """The newest checkpoint of a partner's log that this node's witness cosigned.

    Apart from the mirror: the witness promises that nothing was rewritten, the mirror that the
    bytes are held.
    """

    log = models.OneToOneField(Log, on_delete=models.CASCADE, related_name="witnessed")
    size = models.PositiveBigIntegerField()
    root = models.BinaryField()
    note = models.BinaryField()
    signed = models.PositiveBigIntegerField()  # seconds since 1970, never going back

    def __str__(self) -> str:
        """Name it."""
        return f"{self.log_id}@{self.size}"


class Peer(models.Model):
    """What this node knows of a partner beyond ``node.toml``."""

    name = models.CharField(max_length=31, unique=True)
    identity = models.JSONField()
    cosigned = models.PositiveBigIntegerField(default=0)  # of the own log, by its witness
    heard_at = models.DateTimeField(null=True, blank=True)
    proven_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    failure = models.TextField(blank=True)
    clock_skew_seconds = models.FloatField(default=0.0)

    def __str__(self) -> str:
        """Name the partner."""
        return self.name


class Private(models.Model):
    """Content of which a log holds the salted hash alone; erased with its salt."""

    class State(models.TextChoices):
        """Where the content is."""

        HELD = "held", _("held here")
        WANTED = "wanted", _("not fetched yet")
        ERASED = "erased", _("erased")

    commitment = models.CharField(max_length=64, unique=True)
    origin = models.CharField(max_length=LONGEST_NAME, blank=True)  # who has it, when not this node
    recipients = models.JSONField(default=list)  # names of the nodes that may ask for it
    state = models.CharField(max_length=6, choices=State)
    salt = models.BinaryField(null=True)
    content = models.BinaryField(null=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="held", salt__isnull=False, content__isnull=False, erased_at=None)
                | Q(state="wanted", salt=None, content=None, erased_at=None)
                | Q(state="erased", salt=None, content=None, erased_at__isnull=False),
                name="border_private_whole",
                violation_error_message=_("Content is erased together with its salt."),
            )
        ]

    def __str__(self) -> str:
        """Name it by its hash."""
        return self.commitment


class Nonce(models.Model):
    """A signed request that was seen, kept while its signature would still be accepted."""

    key = models.CharField(max_length=300, unique=True)
    expires = models.PositiveBigIntegerField(db_index=True)

    def __str__(self) -> str:
        """Name it."""
        return self.key


class Incident(models.Model):
    """Something that people must look at."""

    class Kind(models.TextChoices):
        """What happened."""

        FORK = "fork", _("a log was rewritten")
        TWO_SEALS = "two_seals", _("two seals on one version")
        ROLLBACK = "rollback", _("own log behind what a partner cosigned")
        DAMAGE = "damage", _("damaged bytes")
        REPAIRED = "repaired", _("damaged bytes, repaired from the mirror")
        BAD_STATEMENT = "bad_statement", _("an entry that is no valid statement")
        REFUSED = "refused", _("a statement that could not be applied")
        BAD_ANSWER = "bad_answer", _("an answer that could not be used")
        CLOCK = "clock", _("clocks differ")
        KEY = "key", _("a key was changed or revoked")

    kind = models.CharField(max_length=15, choices=Kind)
    log = models.ForeignKey(Log, on_delete=models.CASCADE, null=True, blank=True)
    said = models.JSONField()  # {"sentence": …, "values": {…}}: said in the reader's language
    evidence = models.BinaryField(null=True, blank=True)
    key = models.CharField(max_length=300, unique=True)  # the same thing is one incident
    seen = models.PositiveIntegerField(default=1)
    at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    closed_why = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "fork",
                        "two_seals",
                        "rollback",
                        "damage",
                        "repaired",
                        "bad_statement",
                        "refused",
                        "bad_answer",
                        "clock",
                        "key",
                    ]
                ),
                name="border_incident_kind",
            )
        ]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.kind} {self.key}"
