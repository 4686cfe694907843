"""Both ends of a link in one database, and a way between them that can fail at will."""

import json
import secrets

from django.db.models import Model
from django.utils import timezone

from renkei.link import door, engine
from renkei.link.models import Block, Held, Leaf, Link, Run, Sae


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

    @classmethod
    def there(cls):
        """Return the ends that are in the database already."""
        made = cls.__new__(cls)
        made.us, made.jp = (Link.objects.get(own=name) for name in ("us", "jp"))
        made.cut = ""
        return made

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
        for kind in (Block, Leaf, Held, Run):
            rows += kind.objects.filter(link=link)
        return rows

    def restore(self, link, rows):
        """Put one end back to a copy."""
        for kind in (Run, Held, Leaf, Block):
            kind.objects.filter(link=link).delete()
        for row in rows:
            row._state.adding = not isinstance(row, Link)
            row.save(force_insert=not isinstance(row, Link))


def names(keys):
    return [one.key_id for one in keys]


def secret(keys):
    return [one.key for one in keys]


def everyday(ends, chance, note):
    """What a pair of managers does all day, in some order; ``note`` hears who was given which keys."""

    def exchange(master, slaves):
        drawn = ends.draw(master, slaves, number=chance.randint(1, 4), size=chance.choice([16, 32]))
        if not isinstance(drawn, list):
            return
        note(master, drawn)
        for slave in slaves:
            some = drawn[: chance.randint(1, len(drawn))]
            fetched = ends.fetch(names(some), slave=slave, master=master)
            if isinstance(fetched, list):
                note(slave, fetched)

    tasks = [
        lambda: exchange("us.a", ["jp.b", "jp.d"]),
        lambda: ends.add_block(3000),
        lambda: exchange("jp.b", ["us.a"]),
    ]
    chance.shuffle(tasks)
    for one in tasks:
        one()


def recover(ends):
    """What both nodes do when they start again."""
    us, jp = door.blocks_of(ends.us), door.blocks_of(ends.jp)
    door.settle(ends.us, jp)
    door.settle(ends.jp, us)
    ends.greet(ends.us)
    ends.greet(ends.jp)


def refuse_anything_twice(ends, given, before=()):
    """Hold both ends against all that was given: the same pools, and no key a second time.

    Args:
        ends: recovered.
        given: by application, keys as they were noted.
        before: bytes of keys that were given on other days.
    """
    assert set(door.blocks_of(ends.us)) == set(door.blocks_of(ends.jp))
    by_name = {}
    for sae, keys in given.items():
        assert len({key.key_id for key in keys}) == len(keys), sae
        for key in keys:
            assert by_name.setdefault(key.key_id, key.key) == key.key
    used = {*by_name.values(), *before}
    assert len(used) == len(set(by_name.values())) + len(set(before))
    again = ends.draw(number=3, slaves=["jp.b", "jp.d"])
    assert isinstance(again, list), again
    assert not {one.key for one in again} & used
    for slave in ("jp.b", "jp.d"):
        assert secret(ends.fetch(names(again), slave=slave)) == secret(again)
        for key in given.get(slave, []):
            result = ends.fetch([key.key_id], slave=slave)
            assert isinstance(result, door.KeyNotFoundError | door.NotYoursError)
    return again
