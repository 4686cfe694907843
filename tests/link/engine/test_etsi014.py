"""Requests and refusals of ETSI GS QKD 014, by clause and with its exact words."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import KeyRequest, RefusedError

LIMITS = engine.Limits()


def body(**said):
    return json.dumps(said).encode()


@pytest.mark.parametrize("call", ["status", "enc_keys", "dec_keys"])
def test_paths_are_those_of_clause_5_1(call):
    assert engine.read_path(f"/api/v1/keys/jp.embassy%20x/{call}") == engine.Target(
        "jp.embassy x", call
    )


@pytest.mark.parametrize(
    ("path", "http"),
    [
        ("/", 404),
        ("/api/v2/keys/x/status", 404),
        ("/api/v1/keys/x/other", 404),
        ("/api/v1/keys/x/status/", 404),
        ("/api/v1/keys//status", 400),
        ("/api/v1/keys/%0a/status", 400),
        ("/api/v1/keys/" + "x" * 201 + "/status", 400),
    ],
)
def test_other_paths_are_refused(path, http):
    with pytest.raises(RefusedError) as refused:
        engine.read_path(path)
    assert refused.value.http == http


def test_a_status_is_not_posted():
    with pytest.raises(RefusedError) as refused:
        engine.read_path("/api/v1/keys/x/status", is_post=True)
    assert refused.value.http == 405


def test_defaults_are_one_key_of_the_default_size():
    expected = KeyRequest(number=1, size=256)
    assert engine.read_key_request(None, "", LIMITS) == expected
    assert engine.read_key_request(b"{}", "", LIMITS) == expected


def test_get_and_post_ask_for_the_same():
    asked = KeyRequest(number=3, size=1024)
    assert engine.read_key_request(None, "number=3&size=1024", LIMITS) == asked
    assert engine.read_key_request(body(number=3, size=1024), "", LIMITS) == asked


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"size": 257}, "size shall be a multiple of 8"),
        ({"size": 8}, "size shall be within 64 to 8192"),
        ({"size": 8200}, "size shall be within 64 to 8192"),
        ({"number": 0}, "number shall be within 1 to 128"),
        ({"number": 129}, "number shall be within 1 to 128"),
        ({"number": -1}, "number shall be an integer"),
        ({"number": True}, "number shall be an integer"),
        ({"number": 1.5}, "number shall be an integer"),
        ({"number": "1e3"}, "number shall be an integer"),
        ({"size": None}, "size shall be an integer"),
        (
            {"extension_mandatory": [{"abc_route_type": "direct"}]},
            "not all extension_mandatory parameters are supported",
        ),
        (
            {"extension_mandatory": [{"renkei_source": "moon"}]},
            "not all extension_mandatory request options could be met",
        ),
        *(
            (
                {"extension_mandatory": [{"renkei_source": said}]},
                "not all extension_mandatory request options could be met",
            )
            for said in ("", None, 0, False, [], {}, ["quantum"])
        ),
        (
            {"extension_mandatory": [{"renkei_source": "quantum"}, {"renkei_source": "simulated"}]},
            "not all extension_mandatory request options could be met",
        ),
        ({"extension_mandatory": 0}, "extension_mandatory shall be an array of objects"),
        ({"extension_optional": ""}, "extension_optional shall be an array of objects"),
        (
            {"additional_slave_SAE_IDs": ""},
            "additional_slave_SAE_IDs shall be an array of SAE IDs",
        ),
        (
            {"extension_optional": [{"renkei_source": 7}]},
            "not all extension_optional request options handled",
        ),
        ({"extension_mandatory": "x"}, "extension_mandatory shall be an array of objects"),
        (
            {"additional_slave_SAE_IDs": "x"},
            "additional_slave_SAE_IDs shall be an array of SAE IDs",
        ),
        (
            {"additional_slave_SAE_IDs": [1]},
            "additional_slave_SAE_IDs shall be an array of SAE IDs",
        ),
        (
            {"additional_slave_SAE_IDs": list("abcde")},
            "additional_slave_SAE_IDs: at most 4 are supported",
        ),
    ],
)
def test_a_wrong_request_is_answered_400_in_the_words_of_the_standard(said, message):
    with pytest.raises(RefusedError) as refused:
        engine.read_key_request(body(**said), "", LIMITS)
    assert refused.value.http == 400
    assert refused.value.body["message"] == message


@pytest.mark.parametrize(
    "said",
    [
        '{"number": 1, "number": 2}',
        '{"extension_mandatory": [{"renkei_source": "quantum"}], "extension_mandatory": []}',
        '{"extension_mandatory": [{"renkei_source": "quantum", "renkei_source": "simulated"}]}',
    ],
)
def test_what_is_said_twice_is_refused(said):
    """Of two demands for a source the stricter one must not be lost on the way."""
    with pytest.raises(RefusedError) as refused:
        engine.read_key_request(said.encode(), "", LIMITS)
    assert (refused.value.http, refused.value.body) == (400, {"message": "bad request format"})


def test_details_name_what_is_not_supported():
    with pytest.raises(RefusedError) as refused:
        engine.read_key_request(body(extension_mandatory=[{"b": 1}, {"a": 2}]), "", LIMITS)
    assert refused.value.body["details"] == [
        {"extension_mandatory_unsupported": "a"},
        {"extension_mandatory_unsupported": "b"},
    ]


def test_optional_extensions_that_are_not_known_are_ignored():
    asked = engine.read_key_request(body(extension_optional=[{"anything": {"x": 1}}]), "", LIMITS)
    assert asked == KeyRequest(number=1, size=256)


def test_the_source_may_be_asked_for():
    asked = engine.read_key_request(
        body(extension_mandatory=[{"renkei_source": "quantum"}]), "", LIMITS
    )
    assert asked.source == "quantum"


@pytest.mark.parametrize("query", ["number=1&number=2", "numbr=1", "size=%FF", "=" * 5])
def test_a_query_that_says_something_else_is_refused(query):
    with pytest.raises(RefusedError):
        engine.read_key_request(None, query, LIMITS)


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reader(junk):
    for read in (engine.read_key_request, engine.read_key_ids):
        with contextlib.suppress(RefusedError):
            read(junk, "", LIMITS)


def test_deep_nesting_is_refused():
    with pytest.raises(RefusedError):
        engine.read_key_ids(b"[" * 60_000, "", LIMITS)


def test_key_ids_are_read_in_both_forms():
    assert engine.read_key_ids(None, "key_ID=abc", LIMITS) == ("abc",)
    assert engine.read_key_ids(body(key_IDs=[{"key_ID": "a"}, {"key_ID": "b"}]), "", LIMITS) == (
        "a",
        "b",
    )


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"key_IDs": []},
        {"key_IDs": "abc"},
        {"key_IDs": ["abc"]},
        {"key_IDs": [{"id": "abc"}]},
        {"key_IDs": [{"key_ID": 5}]},
        {"key_IDs": [{"key_ID": "a"}, {"key_ID": "a"}]},
        {"key_IDs": [{"key_ID": "0a"}, {"key_ID": "0A"}]},
        {"key_IDs": [{"key_ID": str(at)} for at in range(129)]},
    ],
)
def test_wrong_key_ids_are_refused(said):
    with pytest.raises(RefusedError) as refused:
        engine.read_key_ids(body(**said), "", LIMITS)
    assert refused.value.http == 400


def test_the_container_is_that_of_clause_6_3_and_says_what_is_simulated():
    said = json.loads(engine.container([("id-1", b"\0\1", False), ("id-2", b"\xff", True)]))
    assert said == {
        "keys": [
            {"key_ID": "id-1", "key": base64.b64encode(b"\0\1").decode()},
            {"key_ID": "id-2", "key": "/w==", "key_extension": {"source": "simulated"}},
        ]
    }


def test_the_status_has_every_field_of_clause_6_1():
    said = engine.status(
        LIMITS, source_kme="us.kme", target_kme="jp.kme", master="us.a", slave="jp.b", stored=9**9
    )
    assert said["stored_key_count"] == LIMITS.max_key_count
    assert set(said) == {
        "source_KME_ID", "target_KME_ID", "master_SAE_ID", "slave_SAE_ID", "key_size",
        "stored_key_count", "max_key_count", "max_key_per_request", "max_key_size",
        "min_key_size", "max_SAE_ID_count",
    }  # fmt: skip
