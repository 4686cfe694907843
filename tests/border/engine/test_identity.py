"""Who a node is: fingerprints read aloud, identities read strictly, keys that change in the log."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.border.engine.pair import NOON, Node, stream

from renkei.border import engine

US = Node("us", "US")
fingerprints = st.binary(min_size=32, max_size=32).map(bytes.hex)


class TestFingerprints:
    def test_a_known_answer(self):
        shown = engine.format_fingerprint("0000000100ffffff" + "1234" * 12)

        assert shown == "\n".join(["00000 00001 00255 65535", *["04660 04660 04660 04660"] * 3])

    @given(fingerprints, st.sampled_from([" ", "", "-", "\n", "  ", "　", " ‐ "]))
    def test_it_is_read_however_it_is_written(self, fingerprint, gap):
        groups = engine.format_fingerprint(fingerprint).split()
        wide = gap.join(groups).translate({0x30 + n: 0xFF10 + n for n in range(10)})

        assert engine.parse_fingerprint(gap.join(groups)) == fingerprint
        assert engine.parse_fingerprint(wide) == fingerprint
        assert engine.parse_fingerprint(fingerprint.upper()) == fingerprint
        assert (
            engine.parse_fingerprint(f"SHA256:{fingerprint[:32]} {fingerprint[32:]}") == fingerprint
        )

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "0 characters are no fingerprint: expected 16 groups of 5 digits"),
            ("12345 " * 15, "75 characters"),
            ("12345 " * 17, "85 characters"),
            ("1234x " * 16, "80 characters"),
            ("00001 " * 3 + "65536 " + "00001 " * 12, "group 4 is 65536: a group is at most 65535"),
            ("ab" * 31, "62 characters"),
            ("9" * 10_000_000, "1000 characters"),
        ],
    )
    def test_what_was_misheard_is_told(self, text, why):
        with pytest.raises(engine.BadFingerprintError, match=why):
            engine.parse_fingerprint(text)

    def test_it_covers_every_field_of_the_identity(self):
        """Another name, key or protocol is another fingerprint."""
        seen = {US.founded.fingerprint}
        other = Node("us", "US", seed="other").founded.document
        changes = [
            {name: other[name]} for name in ("log", "witness", "mirror", "recovery", "sealing")
        ]
        changes += [{"name": "usa"}, {"party": "JP"}, {"protocols": ["1.0", "1.1"]}]
        for change in changes:
            seen.add(engine.Identity.read(US.founded.document | change).fingerprint)

        assert len(seen) == 1 + len(changes)

    def test_it_is_the_hash_of_prefix_and_canonical_document(self):
        import hashlib

        import rfc8785

        signed = b"renkei-identity/v1\n\0" + rfc8785.dumps(US.founded.document)

        assert US.founded.fingerprint == hashlib.sha256(signed).hexdigest()

    def test_another_node_than_the_pinned_one_is_named(self):
        US.founded.check_fingerprint(engine.format_fingerprint(US.founded.fingerprint))
        with pytest.raises(engine.WrongFingerprintError, match=r"us\.example/log shows"):
            US.founded.check_fingerprint("0" * 64)


class TestIdentities:
    def test_an_identity_is_read_as_it_was_written(self):
        assert engine.Identity.read(json.loads(json.dumps(US.founded.document))) == US.founded

    def test_the_verifier_keys_are_c2sp_s(self):
        """Types 0x01 and 0x06 for the log, 0x04 and 0x06 for the cosigners, under their names."""
        found = {}
        for role in ("log", "witness", "mirror"):
            keys = [engine.VerifierKey.parse(text) for text in US.founded.document[role]]
            found[role] = [(key.name, key.kind) for key in keys]

        assert found == {
            "log": [("us.example/log", 1), ("us.example/log", 6)],
            "witness": [("us.example/log/witness", 4), ("us.example/log/witness", 6)],
            "mirror": [("us.example/log/mirror", 4), ("us.example/log/mirror", 6)],
        }

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"kind": "renkei-identity/2"}, "expected renkei-identity/1"),
            ({"extra": 1}, "expected exactly"),
            ({"party": "usa"}, "two letters"),
            ({"party": None}, "two letters"),
            ({"name": ""}, "1 to 200 characters"),
            ({"name": "a\u202eb"}, "can be shown"),
            ({"origin": "https://us.example"}, "no origin"),
            ({"origin": "jp.example/log"}, "log is not two verifier keys of jp.example/log"),
            ({"log": US.founded.document["witness"]}, "log is not two verifier keys"),
            ({"log": US.founded.document["log"][:1]}, "expected Ed25519 and ML-DSA-44"),
            ({"log": ["a", "b"]}, "verifier key"),
            ({"log": 7}, "verifier keys"),
            ({"recovery": {"ed25519": "AA=="}}, "recovery is not a pair"),
            ({"recovery": None}, "recovery is not a pair"),
            ({"sealing": {"X25519": "AA=="}}, "sealing is no key"),
            ({"sealing": {engine.KEM: "AA=="}}, "1 bytes: expected 1216"),
            ({"protocols": []}, "1 to 16 versions"),
            ({"protocols": "1.0"}, "1 to 16 versions"),
            ({"protocols": [1]}, "1 to 16 versions"),
        ],
    )
    def test_a_document_that_is_no_identity_is_refused(self, change, why):
        with pytest.raises(engine.BadIdentityError, match=why):
            engine.Identity.read(US.founded.document | change)

    @pytest.mark.parametrize("document", [None, [], "text", {}])
    def test_another_value_is_refused(self, document):
        with pytest.raises(engine.BadIdentityError, match="expected exactly"):
            engine.Identity.read(document)

    def test_one_key_for_two_roles_is_refused(self):
        shared = US.founded.document["recovery"]
        pair = engine.PublicPair.read(shared, what="recovery")
        log = list(engine.vkeys("log", US.origin, pair))

        with pytest.raises(engine.BadIdentityError, match="one key serves two roles"):
            engine.Identity.read(US.founded.document | {"log": log})


class TestWhatIsPublished:
    @pytest.mark.parametrize(
        ("base", "did"),
        [
            ("https://us.example", "did:web:us.example"),
            ("http://127.0.0.1:8001", "did:web:127.0.0.1%3A8001"),
            ("https://gov.example/renkei/us", "did:web:gov.example:renkei:us"),
        ],
    )
    def test_names_of_did_web(self, base, did):
        """did:web, 3.2: the port is escaped, the path's parts are set apart by colons."""
        assert engine.did_of(base) == did
        assert engine.did_document(US.history, base)["id"] == did

    def test_the_did_document_holds_the_log_s_keys(self):
        """RFC 8037 for Ed25519; the AKP key type for ML-DSA-44."""
        from base64 import urlsafe_b64decode

        document = engine.did_document(US.history, "https://us.example")

        jwks = [method["publicKeyJwk"] for method in document["verificationMethod"]]
        assert [(jwk["kty"], jwk.get("crv", jwk.get("alg"))) for jwk in jwks] == [
            ("OKP", "Ed25519"),
            ("AKP", "ML-DSA-44"),
        ]
        assert urlsafe_b64decode(jwks[0]["x"] + "=") == US.keys.log.public.ed25519.raw
        assert urlsafe_b64decode(jwks[1]["pub"] + "==") == US.keys.log.public.mldsa44.raw
        assert (
            document["service"][0]["serviceEndpoint"]
            == "https://us.example/.well-known/renkei-node"
        )

    def test_the_node_document_tells_what_holds_now(self):
        node = Node("us", "US")
        first = node.founded.document["log"]
        node.rotate_log("new")

        document = engine.renkei_node_document(
            node.history, "https://us.example", {"log": "https://us.example/log"}
        )

        assert document["fingerprint"] == node.founded.fingerprint
        assert document["identity"]["log"] == first
        assert document["keys"]["log"] == list(node.history.newest("log").vkeys) != first
        assert document["changes"] == [{"index": 1, "type": engine.ROTATED, "role": "log"}]
        json.dumps(document)


def rotation(node, role="log", new=None, *, spoil=None, without=(), index=5, **changes):
    """A rotation as it is read, spoiled on demand."""
    new = new or engine.NodeKeys.generate(stream(f"{role}-new"))
    public = new.sealing.public if role == "sealing" else getattr(new, role).public
    body = engine.rotation_body(node.history, role, public, overlap=10, reason="yearly")
    body |= changes
    if spoil:
        spoil(body)
    signers = {
        "log": node.keys.log.both,
        "recovery": node.keys.recovery.private.both,
        "old": () if role in {"log", "recovery", "sealing"} else getattr(node.keys, role).both,
        "new": ()
        if role == "sealing"
        else (new.recovery.private if role == "recovery" else getattr(new, role)).both,
    }
    data = engine.compose(
        type=engine.ROTATED,
        id=f"r-{index}",
        issuer=node.origin,
        issued=NOON,
        body=body,
        signers=[key for name, keys in signers.items() if name not in without for key in keys],
    )
    return engine.read_envelope(data), new


def revocation(node, keys, signers, role="log"):
    data = engine.compose(
        type=engine.REVOKED,
        id="v-1",
        issuer=node.origin,
        issued=NOON,
        body=engine.revocation_body(role, keys, reason="lost"),
        signers=signers,
    )
    return engine.read_envelope(data)


class TestRotation:
    @pytest.fixture
    def node(self):
        return Node("us", "US")

    def test_both_keys_hold_for_the_overlap(self, node):
        """The rotation stands at 5 and overlaps by 10: old to 15, new from 6."""
        envelope, new = rotation(node)
        old, fresh = node.keys.log.public, new.log.public

        history = node.history.after(5, envelope)

        expected = {0: (old,), 5: (old,), 6: (fresh, old), 15: (fresh, old), 16: (fresh,)}
        assert {index: history.keys_for("log", index) for index in expected} == expected

    def test_who_has_just_changed_keys_may_sign_with_either(self, node):
        """The checkpoint that ends with the rotation, by old or new keys; before and after, by one."""
        envelope, new = rotation(node, spoil=lambda body: body.update(overlap=0))
        old, fresh = node.keys.log.public, new.log.public

        history = node.history.after(5, envelope)

        expected = {0: (old,), 5: (old,), 6: (fresh, old), 7: (fresh,)}
        assert {size: history.keys_at("log", size) for size in expected} == expected
        assert len(history.vkeys_at("log", 6)) == 4

    @pytest.mark.parametrize("role", ["witness", "mirror"])
    def test_a_cosigner_gets_a_new_name(self, node, role):
        """C2SP tlog-witness: who may have forgotten what it signed does not sign on as the same."""
        envelope, _new = rotation(node, role)

        history = node.history.after(5, envelope)

        assert history.newest(role).name == f"us.example/log/{role}/2"
        assert [engine.VerifierKey.parse(text).name for text in history.vkeys_for(role, 6)] == [
            *[f"us.example/log/{role}/2"] * 2,
            *[f"us.example/log/{role}"] * 2,
        ]
        for name in (f"us.example/log/{role}", "us.example/log", f"us.example/log/{role}/x", 7):
            envelope, _new = rotation(node, role, name=name)
            with pytest.raises(engine.BadKeyChangeError, match="has a new name"):
                node.history.after(5, envelope)

    def test_sealing_keys_change_too(self, node):
        envelope, new = rotation(node, "sealing")

        history = node.history.after(5, envelope)

        assert history.sealing_for(5) == node.keys.sealing.public
        assert history.sealing_for(6) == new.sealing.public

    def test_the_recovery_key_changes_by_its_own_word(self, node):
        envelope, new = rotation(node, "recovery")

        history = node.history.after(5, envelope)

        assert history.keys_for("recovery", 100) == (new.recovery.public,)

    @pytest.mark.parametrize(
        ("role", "missing"),
        [
            *[("log", missing) for missing in ("log", "recovery", "new")],
            *[("sealing", missing) for missing in ("log", "recovery")],
            *[("recovery", missing) for missing in ("log", "recovery", "new")],
            *[("witness", missing) for missing in ("log", "recovery", "old", "new")],
            *[("mirror", missing) for missing in ("log", "recovery", "old", "new")],
        ],
    )
    def test_whoever_must_agree_has_signed(self, node, role, missing):
        envelope, _new = rotation(node, role, without=[missing])

        with pytest.raises(engine.UnknownSignerError):
            node.history.after(5, envelope)

    @pytest.mark.parametrize("number", range(6))
    def test_a_stripped_signature_is_refused(self, node, number):
        """Of three pairs, either algorithm of either taken away."""
        envelope, _new = rotation(node)
        said = json.loads(envelope.data)
        del said["signatures"][number]

        with pytest.raises(engine.StrippedSignatureError):
            node.history.after(5, engine.read_envelope(engine.canonical(said)))

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"role": "king"}, "no role of a key"),
            ({"role": ["log"]}, "no role of a key"),
            ({"overlap": -1}, "expected 0 to 1000000"),
            ({"overlap": "10"}, "expected 0 to 1000000"),
            ({"overlap": True}, "expected 0 to 1000000"),
            ({"old": ["x"]}, "other keys than those of log"),
            ({"new": {}}, "not a pair"),
            ({"reason": 7}, "says exactly"),
            ({"more": 1}, "says exactly"),
        ],
    )
    def test_a_rotation_that_does_not_fit_is_refused(self, node, changes, why):
        envelope, _new = rotation(node, spoil=lambda body: body.update(changes))
        with pytest.raises(engine.BadKeyChangeError, match=why):
            node.history.after(5, envelope)

    def test_a_used_key_does_not_come_back(self, node):
        envelope, new = rotation(node)
        history = node.history.after(5, envelope)
        back = engine.rotation_body(history, "log", node.keys.log.public, overlap=0, reason="back")
        data = engine.compose(
            type=engine.ROTATED,
            id="r-9",
            issuer=node.origin,
            issued=NOON,
            body=back,
            signers=[*node.keys.log.both, *new.log.both, *node.keys.recovery.private.both],
        )

        with pytest.raises(engine.BadKeyChangeError, match="was used before"):
            history.after(9, engine.read_envelope(data))

    def test_nobody_else_changes_our_keys(self, node):
        jp = Node("jp", "JP")
        envelope, _new = rotation(jp)

        with pytest.raises(engine.BadKeyChangeError, match=r"jp\.example/log cannot change"):
            node.history.after(5, envelope)

    def test_changes_come_in_the_log_s_order(self, node):
        envelope, _new = rotation(node)
        history = node.history.after(5, envelope)

        with pytest.raises(engine.BadKeyChangeError, match="expected the log's order"):
            history.after(5, envelope)

    def test_a_second_founding_is_refused(self, node):
        """The first entry says what is pinned; nothing later founds the node anew."""
        founding = engine.read_envelope(node.entries[0])

        assert node.history.after(0, founding) == node.history
        with pytest.raises(engine.BadKeyChangeError, match="founded with another identity"):
            node.history.after(3, founding)
        with pytest.raises(engine.BadKeyChangeError, match="cannot change the keys"):
            Node("jp", "JP").history.after(0, founding)

    def test_other_statements_change_nothing(self, node):
        node.fill(1)

        assert node.history.after(9, engine.read_envelope(node.entries[-1])) is node.history


class TestRevocation:
    @pytest.fixture
    def rotated(self):
        node = Node("us", "US")
        envelope, new = rotation(node)
        return node, node.history.after(5, envelope), new

    def test_revoked_keys_hold_for_no_later_entry(self, rotated):
        node, history, new = rotated
        old = node.keys.log.public
        signers = [*new.log.both, *node.keys.recovery.private.both]

        history = history.after(8, revocation(node, old, signers))

        assert history.keys_for("log", 8) == (new.log.public, old)
        assert history.keys_for("log", 9) == (new.log.public,)

    def test_the_revoked_key_cannot_speak_for_itself(self, rotated):
        node, history, _new = rotated
        signers = [*node.keys.log.both, *node.keys.recovery.private.both]

        with pytest.raises(engine.UnknownSignerError):
            history.after(8, revocation(node, node.keys.log.public, signers))

    def test_nothing_is_revoked_without_the_recovery_key(self, rotated):
        node, history, new = rotated

        with pytest.raises(engine.UnknownSignerError):
            history.after(8, revocation(node, node.keys.log.public, new.log.both))

    def test_the_last_keys_of_a_role_stay(self, rotated):
        node, history, new = rotated
        signers = [*node.keys.log.both, *node.keys.recovery.private.both]

        with pytest.raises(engine.BadKeyChangeError, match="rotate them first"):
            history.after(8, revocation(node, new.log.public, signers))

    def test_keys_that_do_not_hold_are_not_revoked(self, rotated):
        node, history, new = rotated
        signers = [*new.log.both, *node.keys.recovery.private.both]

        for index, keys in ((16, node.keys.log.public), (8, node.keys.witness.public)):
            with pytest.raises(engine.BadKeyChangeError, match="do not hold for log"):
                history.after(index, revocation(node, keys, signers))


class Changes(RuleBasedStateMachine):
    """Keys change at random; a plain model says which must hold."""

    def __init__(self):
        super().__init__()
        self.node = Node("us", "US")
        self.history = self.node.history
        self.index = 1
        self.log = {self.node.keys.log.public: [0, None]}  # pair: first index, first index after
        self.pairs = {self.node.keys.log.public: self.node.keys.log}
        self.newest = self.node.keys.log

    def _say(self, type_, body, signers):
        data = engine.compose(
            type=type_,
            id=f"k-{self.index}",
            issuer=self.node.origin,
            issued=NOON,
            body=body,
            signers=signers,
        )
        self.history = self.history.after(self.index, engine.read_envelope(data))

    @rule(overlap=st.integers(0, 12))
    def rotate(self, overlap):
        new = engine.NodeKeys.generate(stream(f"machine-{self.index}")).log
        body = engine.rotation_body(
            self.history, "log", new.public, overlap=overlap, reason="machine"
        )
        self._say(
            engine.ROTATED,
            body,
            [*self.newest.both, *new.both, *self.node.keys.recovery.private.both],
        )
        self.log[self.newest.public][1] = self.index + 1 + overlap
        self.log[new.public] = [self.index + 1, None]
        self.pairs[new.public] = new
        self.newest = new
        self.index += 1

    @rule(count=st.integers(1, 8))
    def go_on(self, count):
        self.index += count

    def _revocable(self):
        return [
            pair for pair, (start, end) in self.log.items() if end and start <= self.index < end
        ]

    @precondition(_revocable)
    @rule(data=st.data())
    def revoke(self, data):
        pair = data.draw(st.sampled_from(self._revocable()))
        self._say(
            engine.REVOKED,
            engine.revocation_body("log", pair, reason="machine"),
            [*self.newest.both, *self.node.keys.recovery.private.both],
        )
        self.log[pair][1] = self.index + 1
        self.index += 1

    @invariant()
    def the_model_agrees(self):
        for index in (0, self.index - 1, self.index, self.index + 5, self.index + 20):
            expected = {
                pair
                for pair, (start, end) in self.log.items()
                if start <= index and (end is None or index < end)
            }
            assert set(self.history.keys_for("log", index)) == expected
            assert expected
            either = {
                *self.history.keys_for("log", index),
                *self.history.keys_for("log", index + 1),
            }
            assert set(self.history.keys_at("log", index + 1)) == either


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


@given(
    st.dictionaries(
        st.sampled_from(["role", "old", "new", "overlap", "reason", "name"]),
        st.none()
        | st.integers()
        | st.text("ab/1", max_size=4)
        | st.just("log")
        | st.just("witness")
        | st.lists(st.text("ab/1", max_size=3), max_size=2)
        | st.dictionaries(st.text("ab/1", max_size=3), st.integers(), max_size=2),
    )
)
@settings(max_examples=60)
def test_any_body_is_refused_without_breaking_anything(body):
    """A partner's node may send anything as a change of keys."""
    for type_ in engine.KEY_TYPES:
        try:
            data = engine.compose(
                type=type_,
                id="1",
                issuer=US.origin,
                issued=NOON,
                body=body,
                signers=US.keys.log.both,
            )
        except engine.NotCanonicalError:
            return
        with pytest.raises(engine.BadKeyChangeError):
            US.history.after(5, engine.read_envelope(data))
