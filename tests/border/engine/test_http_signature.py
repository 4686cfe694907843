"""Signed requests and answers: RFC 9421 as nodes use it, with the library's verifier as judge."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures import algorithms as library
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border.engine.pair import NOON, stream

from renkei.border import engine
from renkei.border.engine import _http_signature as ours

US = engine.NodeKeys.generate(stream("us-http"))
JP = engine.NodeKeys.generate(stream("jp-http"))
URL = "https://jp.example/border/v1/hint?from=us"
BODY = b'{"size":7}'
JSON = {"Content-Type": "application/json"}


def signed(**changes):
    arguments = {"keys": US.log, "now": NOON, "nonce": "n-1"} | changes
    return engine.sign_request("POST", URL, JSON, BODY, **arguments)


def verify(headers, **changes):
    arguments = {
        "method": "POST",
        "url": URL,
        "headers": headers,
        "body": BODY,
        "keys": [JP.log.public, US.log.public],
        "now": NOON,
    } | changes
    return engine.verify_request(**arguments)


def test_who_signed_is_found():
    found = verify(signed())

    assert found.keys == US.log.public
    assert found.keyid == US.log.ed25519.kid
    assert (found.nonce, found.created) == ("n-1", NOON)
    assert found.expires == NOON + timedelta(seconds=60)


def test_the_form_of_the_headers():
    headers = signed()

    parameters = (
        '=("@method" "@target-uri" "content-digest" "content-type");created=1795348800;'
        'keyid="{}";alg="{}";expires=1795348860;nonce="n-1";tag="renkei-fed/1"'
    )
    assert headers["Signature-Input"] == ", ".join(
        alg + parameters.format(kid, alg)
        for alg, kid in zip(engine.BOTH, US.log.public.kids, strict=True)
    )
    assert len("".join(headers.values())) < 4_000  # front ends take 8 kB


def test_a_request_without_a_body_is_signed_too():
    headers = engine.sign_request("GET", URL, {}, b"", keys=US.log, now=NOON, nonce="n")

    assert verify(headers, method="GET", body=b"").keys == US.log.public


class TestTheLibraryAgrees:
    """The Ed25519 signature is an ordinary one of RFC 9421."""

    def test_its_verifier_accepts_ours(self):
        now = datetime.now(UTC)  # the library has its own clock
        message = ours._Message("POST", URL, signed(now=now))
        keys = {US.log.ed25519.kid: US.log_ed25519.public_key()}
        verifier = HTTPMessageVerifier(
            signature_algorithm=library.ED25519,
            key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
        )

        (result,) = verifier.verify(
            message, expect_tag="renkei-fed/1", expect_label="ed25519", body=BODY
        )

        assert result.body == BODY
        assert result.nonce == "n-1"

    def test_its_signature_alone_is_not_enough(self):
        message = ours._Message("POST", URL, dict(JSON))
        signer = HTTPMessageSigner(
            signature_algorithm=library.ED25519,
            key_resolver=MappingKeyResolver(
                public_keys={}, private_keys={US.log.ed25519.kid: US.log_ed25519}
            ),
        )
        signer.sign(
            message,
            key_id=US.log.ed25519.kid,
            created=NOON,
            expires=NOON + timedelta(seconds=60),
            nonce="n-1",
            label="ed25519",
            tag="renkei-fed/1",
            covered_component_ids=["@method", "@target-uri", "content-type"],
            body=BODY,
        )

        with pytest.raises(engine.BadHttpSignatureError, match="not signed with ml-dsa-44"):
            verify(message.headers)


def test_the_signature_of_rfc_9421_b_2_6():
    """The RFC's own example, signed with its own test key, comes out of what we build on."""
    key = load_pem_private_key(
        b"-----BEGIN PRIVATE KEY-----\n"
        b"MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
        b"-----END PRIVATE KEY-----\n",
        None,
    )
    message = ours._Message(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        {
            "Host": "example.com",
            "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "Content-Type": "application/json",
            "Content-Length": "18",
        },
    )
    signer = HTTPMessageSigner(
        signature_algorithm=ours._ALGORITHMS["ed25519"],
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={"test-key-ed25519": key}),
    )
    signer.sign(
        message,
        key_id="test-key-ed25519",
        created=datetime.fromtimestamp(1618884473, UTC),
        label="sig-b26",
        include_alg=False,
        covered_component_ids=[
            "date",
            "@method",
            "@path",
            "@authority",
            "content-type",
            "content-length",
        ],
    )

    assert message.headers["Signature"] == (
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5"
        "WPpBKRCw==:"
    )


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"method": "PUT"}, "ed25519"),
            ({"url": URL + "&x=1"}, "ed25519"),
            ({"url": "http://jp.example/border/v1/hint?from=us"}, "ed25519"),
            ({"body": b'{"size":8}'}, "Content-Digest does not match"),
            ({"body": b""}, "Content-Digest does not match"),
            ({"keys": []}, "ed25519"),
            ({"keys": [JP.log.public, US.witness.public]}, "ed25519"),
        ],
    )
    def test_another_request_is_refused(self, changes, why):
        with pytest.raises(engine.BadHttpSignatureError, match=why):
            verify(signed(), **changes)

    def test_a_changed_type_is_refused(self):
        with pytest.raises(engine.BadHttpSignatureError):
            verify(signed() | {"Content-Type": "text/html"})

    @pytest.mark.parametrize("header", ["Signature", "Signature-Input"])
    @pytest.mark.parametrize("alg", engine.BOTH)
    def test_a_stripped_signature_is_refused(self, header, alg):
        """One algorithm taken away, from either header or from both."""
        headers = signed()
        for name in {header, "Signature"}:
            members = headers[name].split(", ")
            headers[name] = ", ".join(m for m in members if not m.startswith(f"{alg}="))

        with pytest.raises(engine.BadHttpSignatureError):
            verify(headers)

    def test_keys_of_two_parties_do_not_make_one(self):
        mixed = engine.SigningPair(US.log.ed25519, JP.log.mldsa44)

        with pytest.raises(engine.BadHttpSignatureError, match="keys of different parties"):
            verify(signed(keys=mixed))

    def test_two_different_signatures_do_not_make_one(self):
        one, two = signed(nonce="n-1"), signed(nonce="n-2")
        headers = one | {
            name: f"{one[name].split(', ')[0]}, {two[name].split(', ')[1]}"
            for name in ("Signature", "Signature-Input")
        }

        with pytest.raises(engine.BadHttpSignatureError, match="differ in created"):
            verify(headers)

    @pytest.mark.parametrize("swap", [("ed25519", "ml-dsa-44"), ("ml-dsa-44", "ed25519")])
    def test_the_algorithm_is_not_taken_from_the_message(self, swap):
        headers = signed()
        headers["Signature-Input"] = headers["Signature-Input"].replace(
            f'alg="{swap[0]}"', f'alg="{swap[1]}"'
        )

        with pytest.raises(engine.BadHttpSignatureError):
            verify(headers)

    @pytest.mark.parametrize(
        "covered",
        [
            ["@method", "content-digest", "content-type"],
            ["@target-uri", "content-digest", "content-type"],
            ["@method", "@target-uri", "content-digest"],
            ["@method", "@target-uri", "content-type"],
        ],
    )
    def test_what_is_not_covered_is_refused(self, covered):
        message = ours._Message("POST", URL, dict(JSON))
        headers = ours._sign(
            message,
            covered,
            BODY,
            keys=US.log,
            now=NOON,
            nonce="n",
            lifetime=timedelta(seconds=60),
        )
        if "content-digest" not in covered:  # the library covers it by itself; take it out again
            headers["Signature-Input"] = headers["Signature-Input"].replace(' "content-digest"', "")

        with pytest.raises(engine.BadHttpSignatureError):
            verify(headers)

    @pytest.mark.parametrize("tag", ["renkei-fed/2", ""])
    def test_another_protocol_is_refused(self, tag):
        headers = signed()
        headers["Signature-Input"] = headers["Signature-Input"].replace("renkei-fed/1", tag)

        with pytest.raises(engine.BadHttpSignatureError):
            verify(headers)

    def test_no_signature_at_all(self):
        with pytest.raises(engine.BadHttpSignatureError, match="Signature"):
            verify(dict(JSON))

    def test_headers_beyond_measure_are_refused_unread(self):
        with pytest.raises(engine.BadHttpSignatureError, match="more than 16384"):
            verify(signed() | {"X": "x" * 20_000})

    @given(
        st.sampled_from(["Signature", "Signature-Input", "Content-Digest"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
        | st.sampled_from(
            ["ed25519=1", "ed25519=(", "ed25519=();tag=1", "ed25519=?1, ml-dsa-44=?1"]
        ),
    )
    @settings(max_examples=80)
    def test_garbage_is_refused_and_nothing_else_happens(self, name, text):
        for value in (text, SIGNED[name][: len(text)] + text):
            with pytest.raises(engine.BadHttpSignatureError):
                verify(SIGNED | {name: value})


SIGNED = signed()


class TestTime:
    @pytest.mark.parametrize("seconds", [-60, 0, 59, 120])
    def test_it_is_good_within_its_life_and_the_skew_of_clocks(self, seconds):
        verify(signed(), now=NOON + timedelta(seconds=seconds))

    @pytest.mark.parametrize("seconds", [-61, 121, 172_800, -172_800])
    def test_it_is_stale_outside(self, seconds):
        """Two days of difference are said with both times: an operator can see which clock is wrong."""
        now = NOON + timedelta(seconds=seconds)

        with pytest.raises(
            engine.StaleHttpSignatureError, match=f"2026-11-22T12:00:00.*{now:%H:%M:%S}"
        ):
            verify(signed(), now=now)

    @pytest.mark.parametrize("seconds", [0, -1, 301, 86_400])
    def test_nobody_signs_for_long(self, seconds):
        with pytest.raises(engine.BadHttpSignatureError, match="1 to 300 seconds"):
            signed(lifetime=timedelta(seconds=seconds))

    def test_a_long_life_is_not_believed(self, monkeypatch):
        monkeypatch.setattr(ours, "LONGEST_LIFE", timedelta(days=2))
        headers = signed(lifetime=timedelta(days=1))
        monkeypatch.undo()

        with pytest.raises(engine.StaleHttpSignatureError, match="1 to 300 seconds, not 86400"):
            verify(headers)


class TestAnswers:
    ANSWER = json.dumps({"size": 9}).encode()

    def answer(self, **changes):
        arguments = {"method": "POST", "url": URL, "keys": JP.log, "now": NOON, "nonce": "n-1"}
        return engine.sign_response(200, JSON, self.ANSWER, **(arguments | changes))

    def check(self, headers, **changes):
        arguments = {
            "status": 200,
            "headers": headers,
            "body": self.ANSWER,
            "method": "POST",
            "url": URL,
            "keys": [JP.log.public],
            "now": NOON,
            "nonce": "n-1",
        }
        return engine.verify_response(**(arguments | changes))

    def test_an_answer_is_verified(self):
        assert self.check(self.answer()).keys == JP.log.public

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": 403},
            {"body": b"{}"},
            {"method": "PUT"},
            {"url": "https://jp.example/other"},
            {"nonce": "n-2"},
            {"keys": [US.log.public]},
            {"now": NOON + timedelta(hours=1)},
        ],
    )
    def test_an_answer_to_something_else_is_refused(self, changes):
        with pytest.raises(engine.BadHttpSignatureError):
            self.check(self.answer(), **changes)

    def test_a_request_is_no_answer(self):
        with pytest.raises(engine.BadHttpSignatureError):
            self.check(signed(keys=JP.log))


@pytest.mark.parametrize("nonce", ["", "x" * 65, "naïve", "a\nb"])
def test_a_nonce_is_short_and_plain(nonce):
    with pytest.raises(engine.BadHttpSignatureError, match="nonce"):
        signed(nonce=nonce)


def test_an_address_that_no_partner_could_check_is_not_signed():
    with pytest.raises(engine.BadHttpSignatureError, match="cannot be signed"):
        engine.sign_request("POST", "/border", JSON, BODY, keys=US.log, now=NOON, nonce="n")
    with pytest.raises(engine.BadHttpSignatureError, match="cannot be signed"):
        engine.sign_request("POST", URL, {}, BODY, keys=US.log, now=NOON, nonce="n")


def test_the_digest_is_that_of_rfc_9530():
    """RFC 9530, B.1: sha-256 of {"hello": "world"} and a newline."""
    headers = engine.sign_request(
        "POST", URL, JSON, b'{"hello": "world"}\n', keys=US.log, now=NOON, nonce="n"
    )

    assert headers["Content-Digest"] == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert len(b64decode(headers["Content-Digest"].split(":")[1])) == 32
