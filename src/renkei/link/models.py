"""Tables of the link: key at rest, who may draw it, and what is known of the channel.

Of key only ciphertext is stored (``engine.AtRest``). What is used is deleted, and what must never
go back is a counter that the partner remembers too.
"""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Self

from django.db import connection, models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from renkei.link.engine import ACK_PATH, BlockState, Counters, Position

FIRST, SECOND = 1, 2  # halves of a block: of the node whose name comes first, and of the other


class Link(models.Model):
    """The link with one partner, and what must never go back."""

    own = models.CharField(max_length=31)
    partner = models.CharField(max_length=31)
    simulated = models.BooleanField()
    routed = models.BooleanField(default=False)  # its key comes over relays, not from photons
    next_block = models.PositiveBigIntegerField(default=1)
    allocated_block = models.PositiveBigIntegerField(default=0)
    allocated_offset = models.PositiveBigIntegerField(default=0)
    delivered = models.PositiveBigIntegerField(default=0)
    peer_block = models.PositiveBigIntegerField(default=0)
    peer_offset = models.PositiveBigIntegerField(default=0)
    peer_delivered = models.PositiveBigIntegerField(default=0)
    heard_at = models.DateTimeField(null=True, blank=True)
    reserve = models.BinaryField(default=b"")  # authenticates the link itself; sealed
    peer_public = models.BinaryField(default=b"")  # for sealing to the partner
    tags_left = models.PositiveIntegerField(default=0)  # in the reserve, in the poorer direction

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["own", "partner"], name="link_one_link_a_partner"),
            models.CheckConstraint(condition=~Q(own=F("partner")), name="link_has_two_ends"),
        ]

    @property
    def counters(self) -> Counters:
        """Return what this node must never take back."""
        return Counters(Position(self.allocated_block, self.allocated_offset), self.delivered)

    @counters.setter
    def counters(self, counters: Counters) -> None:
        self.allocated_block = counters.allocated.block
        self.allocated_offset = counters.allocated.offset
        self.delivered = counters.delivered

    @property
    def remembered(self) -> Counters:
        """Return what the partner must never take back."""
        return Counters(Position(self.peer_block, self.peer_offset), self.peer_delivered)

    @remembered.setter
    def remembered(self, counters: Counters) -> None:
        self.peer_block = counters.allocated.block
        self.peer_offset = counters.allocated.offset
        self.peer_delivered = counters.delivered

    @property
    def own_share(self) -> int:
        """Return the half of each block that this node allocates from."""
        return FIRST if self.own < self.partner else SECOND

    @property
    def peer_share(self) -> int:
        """Return the half that the partner allocates from."""
        return SECOND if self.own < self.partner else FIRST

    # What every delivery asks, in plain SQL: to build Django's query costs four times its answer.

    def ready(
        self, first: int, *, last: int | None = None, most: int | None = None
    ) -> list[tuple[int, int]]:
        """Return the ready blocks from a number on, in order: number, and bytes of a half."""
        said = "SELECT number, half_bytes FROM link_block WHERE link_id = %s AND state = %s"
        asked: list[str | int] = [self.pk, BlockState.READY.value]
        for words, value in (
            (" AND number >= %s", first),
            (" AND number <= %s", last),
            (" ORDER BY number", None),
            (" LIMIT %s", most),
        ):
            if value is not None or "%s" not in words:
                said += words
                asked += [] if value is None else [value]
        with connection.cursor() as cursor:
            cursor.execute(said, asked)
            return [(number, size) for number, size in cursor.fetchall()]

    def has_alarm(self, kind: str) -> bool:
        """Tell whether an alarm of this kind stands."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM link_alarm WHERE link_id = %s AND kind = %s AND cleared_at IS NULL",
                [self.pk, kind],
            )
            return cursor.fetchone() is not None


class Block(models.Model):
    """One block of distilled key."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="blocks")
    number = models.PositiveBigIntegerField()
    state = models.CharField(max_length=7, choices=[(one.value, one.value) for one in BlockState])
    fingerprint = models.CharField(max_length=32)
    simulated = models.BooleanField()
    half_bytes = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "number"], name="link_block_number"),
            models.CheckConstraint(
                condition=Q(state__in=[one.value for one in BlockState]), name="link_block_state"
            ),
        ]


class Piece(NamedTuple):
    """A leaf as the hot path reads and writes it."""

    number: int
    offset: int
    length: int
    sealed: bytes


class LeafQuerySet(models.QuerySet["Leaf"]):
    """What every delivery does, in plain SQL: Django's own would cost more than all the rest."""

    def pieces_before(self, link: Link, share: int, until: Position) -> list[Piece]:
        """Return what lies before a position of a share, in order."""
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT number, "offset", length, sealed FROM link_leaf '
                'WHERE link_id = %s AND share = %s AND (number, "offset") < (%s, %s) '
                'ORDER BY number, "offset"',
                [link.pk, share, until.block, until.offset],
            )
            return [Piece(row[0], row[1], row[2], bytes(row[3])) for row in cursor.fetchall()]

    def drop_before(self, link: Link, share: int, until: Position) -> None:
        """Delete what lies before a position of a share."""
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM link_leaf "
                'WHERE link_id = %s AND share = %s AND (number, "offset") < (%s, %s)',
                [link.pk, share, until.block, until.offset],
            )

    def add(self, link: Link, share: int, pieces: Iterable[Piece]) -> None:
        """Store pieces."""
        rows: list[tuple[int | bytes, ...]] = [(link.pk, share, *piece) for piece in pieces]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(
                    'INSERT INTO link_leaf (link_id, share, number, "offset", length, sealed) '
                    "VALUES (%s, %s, %s, %s, %s, %s)",
                    rows,
                )


class Leaf(models.Model):
    """A few kilobytes of unused key, encrypted; deleted or sealed anew when some of it is used."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="leaves")
    number = models.PositiveBigIntegerField()
    share = models.PositiveSmallIntegerField()
    offset = models.PositiveIntegerField()
    length = models.PositiveIntegerField()
    sealed = models.BinaryField()

    objects = LeafQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["link", "share", "number", "offset"], name="link_leaf_place"
            ),
            models.CheckConstraint(condition=Q(length__gt=0), name="link_leaf_has_key"),
        ]


class Sae(models.Model):
    """An application that draws keys: a secure application entity of ETSI GS QKD 014."""

    name = models.CharField(max_length=100, unique=True)
    serial = models.CharField(max_length=40, blank=True)
    loopback = models.BooleanField(default=False)
    quota_bytes_per_hour = models.PositiveBigIntegerField()
    window_started_at = models.DateTimeField(null=True, blank=True)
    window_bytes = models.PositiveBigIntegerField(default=0)
    drawn = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)


class Held(models.Model):
    """Keys of one allocation that wait here for slaves."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="held")
    prefix = models.CharField(max_length=28)
    master = models.CharField(max_length=200)
    slaves = models.JSONField()
    waiting = models.JSONField()  # slave -> bits of the keys that it has not drawn, hexadecimal
    size = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    simulated = models.BooleanField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "prefix"], name="link_held_once"),
        ]


class RunQuerySet(models.QuerySet["Run"]):
    """The runs of a link."""

    def newest(self) -> Self:
        """Return them in order, the last one first: as they were written, for a clock may go back."""
        return self.order_by("-pk")


class Run(models.Model):
    """How the distillation of one block went."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveBigIntegerField()
    finished_at = models.DateTimeField(db_index=True)
    simulated = models.BooleanField()
    sifted_bits = models.PositiveBigIntegerField(default=0)
    qber = models.FloatField(null=True, blank=True)
    gain = models.FloatField(null=True, blank=True)
    leak_bits = models.PositiveBigIntegerField(default=0)
    key_bits = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    figures = models.JSONField(default=dict)  # what each stage says of itself
    refused = models.TextField(blank=True)  # why no key came out

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(qber=None) | Q(qber__gte=0, qber__lte=1), name="link_run_qber"
            ),
            models.CheckConstraint(
                condition=Q(refused="") | Q(key_bits=0), name="link_run_refused_has_no_key"
            ),
        ]


class Alarm(models.Model):
    """Something a person should look at; one of a kind stands at a time."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="alarms")
    kind = models.CharField(max_length=40)
    detail = models.TextField(blank=True)
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["link", "kind"],
                condition=Q(cleared_at=None),
                name="link_one_alarm_of_a_kind",
            ),
        ]


class Event(models.Model):
    """What one end said for good about the link: an entry of its signed log, as it stands there."""

    class What(models.TextChoices):
        """What happened."""

        DOWNGRADE = "downgrade", _("Sealed without a quantum key")
        RAISED = "alarm-raised", _("Alarm raised")
        CLEARED = "alarm-cleared", _("Alarm cleared")
        SIGNED_START = "signed-start", _("First block authenticated by signatures")

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="events")
    said_by = models.CharField(max_length=31)
    index = models.PositiveBigIntegerField()
    leaf = models.CharField(max_length=64)
    what = models.CharField(max_length=20, choices=What.choices)
    kind = models.CharField(max_length=40)
    about = models.CharField(max_length=300, blank=True)
    said_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "said_by", "index"], name="link_event_once"),
        ]


class RelayShare(models.Model):
    """A share of a block that came over one path of trusted nodes and waits for the others; sealed."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="relay_shares")
    number = models.PositiveBigIntegerField()
    place = models.PositiveSmallIntegerField()
    sealed = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "number", "place"], name="link_relay_share"),
        ]


class Kme(models.Model):
    """A key manager of another vendor that was admitted, and for which applications."""

    name = models.CharField(max_length=31, unique=True)
    address = models.CharField(max_length=200)  # https://host:port
    certificates = models.TextField()  # PEM: what it proves itself with, as a client and a server
    fingerprints = models.JSONField()  # SHA-256 of each, hexadecimal
    saes = models.JSONField()  # applications that are served by it
    simulated = models.BooleanField(default=False)  # its keys are: a person said so
    admitted_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    @property
    def callback(self) -> str:
        """Return where it wants to hear what became of keys."""
        return self.address + ACK_PATH


class Handed(models.Model):
    """A key that two key managers handed over; the row stays when its key is gone, so none comes twice."""

    class State(models.TextChoices):
        """What became of it here."""

        SENT = "sent"  # given to the other one, which has not said yet that its target has it
        HELD = "held"  # waits for the application of this node
        USED = "used"  # that has it
        VOID = "void"  # nobody gets it any more

    kme = models.ForeignKey(Kme, on_delete=models.PROTECT, related_name="handed")
    key_id = models.CharField(max_length=36)
    is_ours = models.BooleanField()  # this node made it and gave it away
    initiator = models.CharField(max_length=64)
    target = models.CharField(max_length=64)
    state = models.CharField(max_length=4, choices=State.choices)
    sealed = models.BinaryField(default=b"")
    mark = models.CharField(max_length=32, blank=True)  # by which the key is known again
    simulated = models.BooleanField(default=False)
    extension = models.JSONField(default=dict)
    to_say = models.CharField(
        max_length=16, blank=True, db_index=True
    )  # what the other one shall hear
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kme", "key_id"], name="link_handed_once"),
            models.UniqueConstraint(
                fields=["mark"], condition=~Q(mark=""), name="link_handed_key_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["sent", "held", "used", "void"]), name="link_handed_state"
            ),
        ]
