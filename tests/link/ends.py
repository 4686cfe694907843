"""Both ends of a link in one database, and a way between them that can fail at will."""

import json
import secrets

from django.db.models import Model
from django.utils import timezone

from renkei.link import door, engine
from renkei.link.models import Block, Held, Leaf, Link, Sae


class CutError(door.PartnerSilentError):
    """The way between the ends was cut."""


class Ends:
    """``us`` and ``jp``, holding the same blocks."""

    def __init__(self, *, blocks=1, length=20_000, simulated=False):
        self.us = Link.objects.create(own="us", partner="jp", simulated=simulated, tags_left=99)
        self.jp = Link.objects.create(own="jp", partner="us", simulated=simulated, tags_left=99)
        self.cut = ""  # "ask": lost on its way; "answer": heard, and the answer lost
        for name in ("us.a", "us.c", "jp.b", "jp.d"):
            self.sae(name)
        for _ in range(blocks):
            self.add_block(length)

    def sae(self, name, **more):
        given = {"serial": name, "quota_bytes_per_hour": 1 << 40, "created_at": timezone.now()}
        return Sae.objects.create(name=name, **(given | more))

    def add_block(self, length=20_000, *, block=None):
        """Distil a block: the same bytes at both ends, confirmed."""
        block = block or secrets.token_bytes(length)
        number = max(self.fresh(self.us).next_block, self.fresh(self.jp).next_block)
        mark = door.take_in(self.us, number, block, simulated=self.us.simulated)
        assert door.take_in(self.jp, number, block, simulated=self.jp.simulated) == mark
        assert door.confirm(self.jp, number, mark)
        assert door.confirm(self.us, number, mark)
        return number

    @staticmethod
    def fresh(link):
        return Link.objects.get(pk=link.pk)

    def other(self, link):
        return self.jp if link.pk == self.us.pk else self.us

    def send_from(self, link):
        """Return what tells the other end, through JSON as on the wire."""

        def send(said):
            if self.cut == "ask":
                raise CutError("cut")
            answer = door.hear(self.other(link), json.loads(json.dumps(said))["link"])
            if self.cut == "answer":
                raise CutError("cut")
            return json.loads(json.dumps(answer))

        return send

    def serve(self, link, *asked):
        door.serve(link, asked, self.send_from(link))
        return [one.result for one in asked]

    def draw(self, master="us.a", slaves=("jp.b",), *, size=32, number=1, source=""):
        link = self.us if master.startswith("us") else self.jp
        asked = door.Draw(master, tuple(slaves), size, number, source)
        return self.serve(link, asked)[0]

    def fetch(self, names, slave="jp.b", master="us.a"):
        link = self.us if slave.startswith("us") else self.jp
        return self.serve(link, door.Fetch(slave, master, tuple(names)))[0]

    def greet(self, link):
        """What a node does when it starts: compare its counters with the partner's."""
        counters = self.fresh(link).counters
        said = self.send_from(link)({"link": engine.to_json(engine.Batch(counters, counters))})
        if "remembered" in said:
            door.burn_to(link, engine.counters_from_json(said["remembered"]))

    def copy(self, link):
        """Copy everything that one end stores, as a backup or a snapshot does."""
        rows: list[Model] = [self.fresh(link)]
        for kind in (Block, Leaf, Held):
            rows += kind.objects.filter(link=link)
        return rows

    def restore(self, link, rows):
        """Put one end back to a copy."""
        for kind in (Held, Leaf, Block):
            kind.objects.filter(link=link).delete()
        for row in rows:
            row._state.adding = not isinstance(row, Link)
            row.save(force_insert=not isinstance(row, Link))
