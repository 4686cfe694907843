"""Receipts and evidence: what one file proves, and that nothing less passes for it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border.engine.pair import CONTENT, NOON, OFFICERS, SALT, Node, act, receipt

from renkei.border import engine


def pair():
    us, jp = Node("us", "US"), Node("jp", "JP")
    us.fill(9)
    jp.fill(3)
    return us, jp


def made(**arguments):
    us, jp = pair()
    refs = act(us, jp, **arguments)
    us.fill(4)
    return receipt(us, jp, refs=refs)


GOOD = made()


def respell(change, data=GOOD):
    document = json.loads(data)
    change(document)
    return engine.canonical(document)


def failed(report):
    return {check.code for check in report.checks if check.passed is False}


class TestGenuine:
    def test_a_receipt_proves_the_act(self):
        us, jp = pair()
        pins = [engine.format_fingerprint(node.founded.fingerprint) for node in (us, jp)]

        report = engine.verify_receipt(GOOD, pins)

        assert report.passed
        assert report.pinned
        assert report.kind == engine.RECEIPT
        assert report.said["content"] == CONTENT
        assert report.said["record"] == "record.commitment/us/c-17"
        assert [(each["party"], each["officer"]) for each in report.said["approvals"]] == [
            ("JP", OFFICERS["JP"]),
            ("US", OFFICERS["US"]),
        ]
        assert {check.code for check in report.checks} == set(engine.CHECKS) - {"fork", "two_seals"}
        json.dumps(report.document)

    def test_without_pins_the_reader_is_asked_to_compare(self):
        us, _jp = pair()

        report = engine.verify_receipt(GOOD)

        assert report.passed
        assert not report.pinned
        shown = [check.found for check in report.checks if check.code == "fingerprint"]
        assert engine.parse_fingerprint(shown[0]) == us.founded.fingerprint

    def test_three_parties_prove_it_too(self):
        us, jp, eu = Node("us", "US"), Node("jp", "JP"), Node("eu", "EU")
        OFFICERS["EU"] = "Inès Maréchal"
        try:
            refs = act(us, jp, eu)
        finally:
            del OFFICERS["EU"]

        report = engine.verify_receipt(receipt(us, jp, eu, refs=refs))

        assert report.passed
        assert [each["party"] for each in report.said["approvals"]] == ["EU", "JP", "US"]
        assert sum(check.code == "cosigned" for check in report.checks) == 6

    def test_keys_may_have_changed_in_between(self):
        """The rotation travels in the file; the reader pins what the node was founded with."""
        us, jp = pair()
        pins = [us.founded.fingerprint, jp.founded.fingerprint]
        us.rotate_log("second")
        refs = act(us, jp)
        us.rotate_log("third")

        assert engine.verify_receipt(receipt(us, jp, refs=refs), pins).pinned
        us.fill(3)
        assert engine.verify_receipt(receipt(us, jp, refs=refs), pins).pinned

    def test_the_founding_is_not_said_twice(self):
        """The identity is in the file; the entry that repeats it is left out, or it grows by half."""
        us, jp = pair()
        refs = [engine.Ref(us.origin, 0, ""), *act(us, jp)]

        data = receipt(us, jp, refs=refs)

        assert engine.FOUNDED not in data.decode()
        assert engine.verify_receipt(data).passed

    def test_officers_need_not_be_disclosed(self):
        us, jp = pair()
        data = receipt(us, jp, refs=act(us, jp), disclosed=[])

        report = engine.verify_receipt(data)

        assert report.passed
        assert [each["officer"] for each in report.said["approvals"]] == ["", ""]
        assert OFFICERS["JP"] not in data.decode()

    def test_it_is_small(self):
        """At most 12 kB a log beside the statements and the identities, with both algorithms."""
        for log in json.loads(GOOD)["logs"]:
            paths = sum(len(engine.canonical(entry["path"])) for entry in log["entries"])
            assert len(log["checkpoint"].encode()) + paths < 12_000
        assert len(GOOD) < 64_000

    def test_its_proofs_are_c2sp_s(self):
        """Every entry's proof, taken out, verifies by itself as a tlog-proof."""
        us, jp = pair()
        document = json.loads(GOOD)
        texts = {
            f"{log['identity']['origin']}/{entry['index']}": entry["statement"]
            for log in document["logs"]
            for entry in log["entries"]
        }

        proofs = engine.tlog_proofs(GOOD)

        assert proofs.keys() == texts.keys()
        for place, data in proofs.items():
            origin, _, index = place.rpartition("/")
            node, other = (us, jp) if origin == us.origin else (jp, us)
            keys = [*node.history.vkeys_for("log", 0), *other.history.vkeys_for("witness", 0)]
            proof = engine.TlogProof.parse(data)
            _checkpoint, signed = proof.verify(
                leaf=engine.leaf_hash(texts[place].encode()),
                origin=origin,
                keys=[engine.VerifierKey.parse(key) for key in keys],
            )
            assert proof.index == int(index)
            assert len(signed) == 4


class TestSpoiled:
    def test_an_unknown_party_is_refused(self):
        us, _jp = pair()

        report = engine.verify_receipt(GOOD, [us.founded.fingerprint])

        assert not report.passed
        assert "fingerprint" in failed(report)

    def test_another_amount_is_found(self):
        report = engine.verify_receipt(GOOD.replace(b"12500000.00", b"12500000.01"))

        assert {"statement", "included", "proposal"} <= failed(report)

    def test_whose_checkpoint_was_not_cosigned(self):
        """The partner's two lines taken away, or either of them."""
        for lines in ((2, 3), (2,), (3,)):

            def strip(document, lines=lines):
                text, _, signatures = document["logs"][0]["checkpoint"].partition("\n\n")
                kept = [s for n, s in enumerate(signatures.split("\n")) if n not in lines]
                document["logs"][0]["checkpoint"] = text + "\n\n" + "\n".join(kept)

            assert failed(engine.verify_receipt(respell(strip))) == {"cosigned"}

    @pytest.mark.parametrize("line", [0, 1])
    def test_whose_log_signed_with_one_algorithm_only(self, line):
        def strip(document):
            text, _, signatures = document["logs"][0]["checkpoint"].partition("\n\n")
            kept = [s for n, s in enumerate(signatures.split("\n")) if n != line]
            document["logs"][0]["checkpoint"] = text + "\n\n" + "\n".join(kept)

        assert "checkpoint" in failed(engine.verify_receipt(respell(strip)))

    def test_another_root_is_found(self):
        def swap(document):
            document["logs"][0]["checkpoint"], document["logs"][1]["checkpoint"] = (
                document["logs"][1]["checkpoint"],
                document["logs"][0]["checkpoint"],
            )

        assert "checkpoint" in failed(engine.verify_receipt(respell(swap)))

    @pytest.mark.parametrize("entry", [0, 1, 2])
    def test_each_statement_is_needed(self, entry):
        """Without the proposal, an approval or the seal, the rest does not prove the act."""
        report = engine.verify_receipt(respell(lambda d: d["logs"][0]["entries"].pop(entry)))

        assert failed(report) & {"proposal", "approval", "seal"}

    def test_the_other_party_is_needed(self):
        report = engine.verify_receipt(respell(lambda d: d["logs"].pop(1)))

        assert {"approval", "seal"} <= failed(report)

    def test_an_entry_at_another_place_is_found(self):
        report = engine.verify_receipt(
            respell(lambda d: d["logs"][0]["entries"][0].update(index=11))
        )

        assert "included" in failed(report)

    def test_a_disclosed_name_is_the_one_committed_to(self):
        def lie(document):
            document["disclosed"][0]["content"] = "Somebody Else"

        report = engine.verify_receipt(respell(lie))

        assert failed(report) == {"disclosed"}
        assert "Somebody Else" not in json.dumps(report.document["said"])

    def test_a_text_that_nobody_committed_to_is_found(self):
        extra = {
            "commitment": engine.commitment_of(b"x", SALT),
            "salt": json.loads(GOOD)["disclosed"][0]["salt"],
            "content": "x",
        }

        report = engine.verify_receipt(respell(lambda d: d["disclosed"].append(extra)))

        assert failed(report) == {"disclosed"}

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"answered": lambda n, b, f: (b | {"answer": "reject"}, f)}, "approval"),
            ({"answered": lambda n, b, f: (b | {"answer": ["approve"]}, f)}, "approval"),
            ({"answered": lambda n, b, f: (b | {"content_hash": "0" * 64}, f)}, "approval"),
            ({"answered": lambda n, b, f: (b | {"act": "other"}, f)}, "approval"),
            (
                {"answered": lambda n, b, f: (b | {"expires": "2030-01-01T00:00:00Z"}, f)},
                "approval",
            ),
            ({"answered": lambda n, b, f: (b | {"officer": {"a": 1}}, f)}, "approval"),
            (
                {"answered": lambda n, b, f: (b, f | {"record": "record.commitment/us/other"})},
                "approval",
            ),
            ({"answered": lambda n, b, f: (b, f | {"parent": "1" * 64})}, "approval"),
            ({"answered": lambda n, b, f: (b, f | {"refs": ()})}, "approval"),
            (
                {"answered": lambda n, b, f: (b, f | {"issued": NOON + timedelta(days=8)})},
                "approval",
            ),
            ({"answered": lambda n, b, f: (b, f | {"signers": [n.keys.log.ed25519]})}, "statement"),
            ({"proposed": lambda n, b, f: (b, f | {"signers": [n.keys.log.ed25519]})}, "statement"),
            ({"sealed": lambda n, b, f: (b | {"content_hash": "0" * 64}, f)}, "seal"),
            ({"sealed": lambda n, b, f: (b, f | {"refs": f["refs"][:2]})}, "seal"),
            ({"sealed": lambda n, b, f: (b, f | {"issued": NOON + timedelta(days=8)})}, "seal"),
            ({"sealed": lambda n, b, f: (b, f | {"parent": "1" * 64})}, "seal"),
        ],
    )
    def test_no_receipt_is_written_of_an_act_that_does_not_hold(self, changes, code):
        """Everything is signed and logged, yet it is not what every party approved."""
        with pytest.raises(engine.BadReceiptError) as refusal:
            made(changes=changes)

        assert engine.CHECKS[code] in str(refusal.value)

    def test_another_home_cannot_seal(self):
        us, jp = pair()
        refs = act(us, jp)[:-1]
        proposal = engine.read_envelope(us.entries[refs[0].index])
        body = {"act": proposal.id, "content_hash": proposal.body["content_hash"]}
        refs.append(jp.say(engine.SEALED, body, record=proposal.record, refs=refs))

        with pytest.raises(engine.BadReceiptError, match="whose home is us"):
            receipt(us, jp, refs=refs)


class TestFiles:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "not JSON"),
            (b"[]", "no kind that is known"),
            (b"{}", "no kind that is known"),
            (b'{"kind":["renkei-receipt/1"]}', "no kind that is known"),
            (b'{"kind":"renkei-receipt/2"}', "expected renkei-receipt/1"),
            (b'{"kind":"renkei-receipt/1"}', "expected exactly disclosed, kind, logs"),
            (b'{"disclosed":[],"kind":"renkei-receipt/1","logs":[]}', "one or more logs"),
            (b'{"disclosed":[],"kind":"renkei-receipt/1","logs":[1]}', "logs is not in its form"),
            (b" " * (1024 * 1024 + 1), "at most 1048576"),
            (b"[" * 1_000_000, "nested too deeply"),
            (b'{"a":1,"a":1}', "twice"),
            (b"\x1f\x8b\x08\x00", "not UTF-8"),
        ],
    )
    def test_another_file_is_told_apart(self, data, why):
        report = engine.verify_receipt(data)

        assert not report.passed
        assert [check.code for check in report.checks] == ["file"]
        assert why in report.checks[0].found

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d["logs"].append(d["logs"][0]),
            lambda d: d["logs"].extend(d["logs"] * 40),
            lambda d: d["logs"][0]["entries"].extend(d["logs"][0]["entries"] * 40),
            lambda d: d["logs"][0]["entries"][0].update(index=-1),
            lambda d: d["logs"][0]["entries"][0].update(index=True),
            lambda d: d["logs"][0]["entries"][0].update(path=["x"]),
            lambda d: d["logs"][0]["entries"][0].update(path=["AAAA"] * 100),
            lambda d: d["logs"][0]["entries"][0].update(path=[1]),
            lambda d: d["logs"][0].update(checkpoint=1),
            lambda d: d["disclosed"].extend(d["disclosed"] * 40),
            lambda d: d.update(more=1),
        ],
    )
    def test_a_file_out_of_shape_is_refused_at_once(self, change):
        report = engine.verify_receipt(respell(change))

        assert [check.code for check in report.checks] == ["file"]
        assert not report.passed

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_no_byte_of_it_can_be_changed(self, data):
        """Wherever a byte changes, some check fails, or the fingerprint is another one."""
        at = data.draw(st.integers(0, len(GOOD) - 1))
        byte = data.draw(st.integers(32, 126).filter(lambda byte: byte != GOOD[at]))
        us, jp = pair()

        report = engine.verify_receipt(
            GOOD[:at] + bytes([byte]) + GOOD[at + 1 :],
            [us.founded.fingerprint, jp.founded.fingerprint],
        )

        assert not report.passed


ODD = [None, True, -1, 0, 7, "", "a", "0" * 64, [], ["a"], [[]], {}, {"a": 1}, [None], "１" * 4]


def places(value, so_far=()):
    """Every place in a JSON value, as keys from the top."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*so_far, key)
            yield from places(item, (*so_far, key))


PLACES = list(places(json.loads(GOOD)))


@given(st.sampled_from(PLACES), st.sampled_from(ODD))
@settings(max_examples=150, deadline=None)
def test_any_value_at_any_place_is_reported_and_nothing_else_happens(place, value):
    """A program reads the report of a stranger's file; it never sees an exception."""

    def put(document):
        for key in place[:-1]:
            document = document[key]
        document[place[-1]] = value

    data = respell(put)

    report = engine.verify_receipt(data, [])

    assert not report.passed
    if report.kind:
        engine.tlog_proofs(data)


@given(st.sampled_from(["proposed", "answered", "sealed"]), st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_is_signed_is_reported_and_nothing_else_happens(step, data):
    """The parties themselves may sign statements of any form."""

    def spoil(_node, body, fields):
        body = json.loads(json.dumps(body))
        inner = body
        place = data.draw(st.sampled_from(list(places(body))))
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = data.draw(st.sampled_from(ODD))
        return body, fields

    try:
        written = made(changes={step: spoil})
    except (engine.BadReceiptError, engine.BadActError):
        return
    assert engine.verify_receipt(written).passed


class TestTwoSeals:
    def test_two_seals_of_one_version_are_proven(self):
        us, jp = pair()
        first, second = act(us, jp)[-1], act(us, jp, content=CONTENT | {"amount": "1.00"})[-1]

        data = engine.compose_receipt([us.receipt_log([first, second])], kind=engine.TWO_SEALS)

        report = engine.verify_receipt(data, [us.founded.fingerprint])
        assert report.pinned
        assert report.said["seals"] == [
            {"origin": us.origin, "index": ref.index} for ref in (first, second)
        ]

    def test_a_seal_and_its_successor_are_no_misconduct(self):
        us, jp = pair()
        first = act(us, jp)[-1]
        later = {
            step: lambda node, body, fields: (body, fields | {"parent": first.leaf})
            for step in ("sealed",)
        }
        second = act(us, jp, changes=later)[-1]

        with pytest.raises(engine.BadReceiptError, match="not two different seals"):
            engine.compose_receipt([us.receipt_log([first, second])], kind=engine.TWO_SEALS)

    def test_one_seal_shown_twice_is_no_misconduct(self):
        us, jp = pair()
        sealed = act(us, jp)[-1]
        log = us.receipt_log([sealed])
        twice = engine.ReceiptLog(log.identity, log.checkpoint, log.entries * 2)

        with pytest.raises(engine.BadReceiptError):
            engine.compose_receipt([twice], kind=engine.TWO_SEALS)


class TestForks:
    def fork(self, before=6, first=0, second=0):
        """Two histories of one node that part after some entries."""
        one, two = Node("us", "US"), Node("us", "US")
        for node in (one, two):
            node.fill(before)
        one.say("record.note.made", {"said": "to Tokyo"}, signers=[one.keys.log.ed25519])
        two.say("record.note.made", {"said": "to Seoul"}, signers=[two.keys.log.ed25519])
        one.fill(first)
        two.fill(second)
        notes = one.checkpoint(), two.checkpoint()
        larger = max(one, two, key=lambda node: len(node.entries))
        return one, engine.fork_evidence(*notes, larger.read)

    @pytest.mark.parametrize("sizes", [(6, 0, 0), (6, 0, 5), (7, 3, 0), (0, 0, 1)])
    def test_a_fork_is_proven(self, sizes):
        node, evidence = self.fork(*sizes)
        data = engine.compose_fork(node.founded, evidence)

        report = engine.verify_receipt(data, [node.founded.fingerprint])

        assert report.pinned
        assert report.kind == engine.FORK
        assert [each["size"] for each in report.said["checkpoints"]] == sorted(
            1 + sizes[0] + 1 + more for more in sizes[1:]
        )

    def test_a_log_that_grew_is_no_fork(self):
        node = Node("us", "US")
        node.fill(3)
        first = node.checkpoint()
        node.fill(3)

        path = (node.read(2, 0), *engine.consistency_proof(4, 7, node.read))

        with pytest.raises(engine.BadReceiptError, match="can both be true"):
            engine.compose_fork(node.founded, engine.ForkEvidence(first, node.checkpoint(), path))

    def test_nobody_can_accuse_another(self):
        """Evidence signed by other keys accuses nobody."""
        _node, evidence = self.fork()

        with pytest.raises(engine.BadReceiptError):
            engine.compose_fork(Node("us", "US", seed="innocent").founded, evidence)

    def test_it_holds_no_entries(self):
        node, evidence = self.fork()

        with pytest.raises(engine.BadReceiptError, match="holds no entries"):
            engine.tlog_proofs(engine.compose_fork(node.founded, evidence))
