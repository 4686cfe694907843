"""ETSI GS QKD 020 V1.1.1: the examples of its OpenAPI description as known answers, and refusals."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine

LIMITS = engine.Limits(max_sae_id_count=2)
ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "373b0b2c-d841-4765-af6f-c6232cda6531"
VALUE = "wHHVxRwDJs3/bXd38GHP3oe4svTuRpZS0yCC7x4Ly+s="  # example of the schema `value`
CALLBACK = "https://kme1/kmapi/v1/ext_keys/ack"
# Example of the schema `ext_key_container`, without what a key manager has to refuse.
EXAMPLE = {
    "keys": [
        {
            "key_id": ID,
            "value": VALUE,
            "extension": {
                "E32473_extension1": "Some string applicable to a particular key",
                "E32473_extension2": {"property1": 10111, "property2": "Some text"},
            },
        }
    ],
    "initiator_sae_id": "encryptor1",
    "target_sae_ids": ["encryptor2"],
    "ack_callback_url": CALLBACK,
    "extension_optional": {"E32473_qos_session": "e73d9abe"},
}
# Example of the schema `void_container`.
VOID = {
    "key_ids": [ID, OTHER_ID, "65380d2d-7de4-4445-9a1e-23f77218e61d"],
    "initiator_sae_id": "encryptor1",
    "target_sae_ids": ["encryptor2"],
    "ack_callback_url": CALLBACK,
    "extension": {"E32473_extension1": "Some string"},
}
# Example of the schema `ack_containers`.
ACKS = [
    {
        "key_id_container": [{"key_id": ID, "extension": {"E32473_extension1": "Some string"}}],
        "ack_status": "relayed",
        "initiator_sae_id": "encryptor1",
        "target_sae_ids": ["encryptor2"],
        "message": "string",
        "extension": {"E32473_extension1": "Some string"},
    }
]


def read(said=None, **changed):
    said = (said or EXAMPLE) | changed
    gone = [name for name, value in said.items() if value is ...]
    body = {name: value for name, value in said.items() if name not in gone}
    return engine.read_keys(json.dumps(body).encode(), LIMITS)


def refused(call, *arguments):
    with pytest.raises(engine.InteropRefusedError) as caught:
        call(*arguments)
    return caught.value


def test_the_example_of_the_key_container_is_read():
    said = read()
    assert said.initiator == "encryptor1"
    assert said.targets == ("encryptor2",)
    assert said.callback == CALLBACK
    assert [(one.key_id, one.value) for one in said.keys] == [(ID, base64.b64decode(VALUE))]
    assert said.keys[0].extension == EXAMPLE["keys"][0]["extension"]
    assert said.extension == {"E32473_qos_session": "e73d9abe"}
    assert not said.simulated


def test_the_examples_of_void_and_acknowledgement_are_read():
    void = engine.read_void(json.dumps(VOID).encode(), LIMITS)
    assert void.key_ids == tuple(VOID["key_ids"])
    assert (void.initiator, void.targets) == ("encryptor1", ("encryptor2",))
    (ack,) = engine.read_acks(json.dumps(ACKS).encode(), LIMITS)
    assert ack == engine.Ack(
        key_ids=(ID,), status="relayed", initiator="encryptor1", targets=("encryptor2",),
        message="string",
    )  # fmt: skip


def test_what_is_written_has_the_names_of_the_schemas():
    container = engine.KeyContainer(
        keys=(engine.HandedKey(ID, base64.b64decode(VALUE)),),
        initiator="encryptor1", targets=("encryptor2",), callback=CALLBACK,
    )  # fmt: skip
    assert json.loads(engine.write_keys(container)) == {
        "keys": [{"key_id": ID, "value": VALUE}],
        "initiator_sae_id": "encryptor1",
        "target_sae_ids": ["encryptor2"],
        "ack_callback_url": CALLBACK,
    }
    request = engine.read_void(json.dumps(VOID).encode(), LIMITS)
    assert json.loads(engine.write_void(request)) == {
        name: value for name, value in VOID.items() if name != "extension"
    }
    acks = engine.read_acks(json.dumps(ACKS).encode(), LIMITS)
    assert json.loads(engine.write_acks(acks)) == [
        {
            "key_id_container": [{"key_id": ID}],
            "ack_status": "relayed",
            "initiator_sae_id": "encryptor1",
            "target_sae_ids": ["encryptor2"],
            "message": "string",
        }
    ]
    assert engine.versions()["versions"] == ["v1"]  # example of `version_container`
    assert "synchronous_mode" not in engine.versions()["capabilities"]


def test_the_example_with_mandatory_extensions_is_refused_with_503():
    """`extension_mandatory`: 503, and an entry `unsupported_mandatory_extension`."""
    error = refused(lambda: read(extension_mandatory={"E32473_route_type": "direct"}))
    assert error.http == 503
    assert error.body == {
        "type": "https://qkd.etsi.org/gs020-interop-kms/unsupported-mandatory-extension",
        "status": 503,
        "title": "unsupported mandatory extension",
        "details": {"unsupported_mandatory_extension": "E32473_route_type"},
    }


def test_a_simulated_key_says_so_where_it_has_to_be_understood():
    container = engine.KeyContainer(
        keys=(engine.HandedKey(ID, bytes(32)),), initiator="a", targets=("b",),
        callback=CALLBACK, simulated=True,
    )  # fmt: skip
    body = engine.write_keys(container)
    assert json.loads(body)["extension_mandatory"] == {engine.SIMULATED_EXTENSION: "simulated"}
    assert engine.read_keys(body, LIMITS).simulated
    for place in ("extension_optional", "extension_mandatory"):
        assert read(**{place: {engine.SIMULATED_EXTENSION: "simulated"}}).simulated


@pytest.mark.parametrize(
    ("changed", "topic"),
    [
        ({"keys": ...}, "missing_parameters"),
        ({"initiator_sae_id": ...}, "missing_parameters"),
        ({"target_sae_ids": ...}, "missing_parameters"),
        ({"ack_callback_url": ...}, "ack_callback_url"),  # would be the synchronous mode
        ({"ack_callback_url": "http://kme1/ack"}, "ack_callback_url"),
        ({"ack_callback_url": "https://k/" + "a" * 1020}, "ack_callback_url"),
        ({"keys": []}, "keys"),
        ({"keys": {}}, "keys"),
        ({"keys": [1]}, "keys"),
        ({"keys": [{"key_id": ID}]}, "missing_parameters"),
        ({"keys": [{"key_id": ID, "value": VALUE}] * 2}, "keys"),
        ({"keys": [{"key_id": ID, "value": VALUE}, {"key_id": ID.upper(), "value": VALUE}]}, "keys"),
        ({"keys": [{"key_id": f"{n:08x}-0000-4000-8000-000000000000", "value": VALUE}
                   for n in range(129)]}, "keys"),
        ({"keys": [{"key_id": "encryptor", "value": VALUE}]}, "key_id"),
        ({"keys": [{"key_id": 7, "value": VALUE}]}, "key_id"),
        ({"initiator_sae_id": ""}, "sae_id"),
        ({"initiator_sae_id": "a b"}, "sae_id"),
        ({"initiator_sae_id": "a%2"}, "sae_id"),
        ({"initiator_sae_id": "x" * 65}, "sae_id"),  # 64 characters [SAE IDs]
        ({"initiator_sae_id": None}, "sae_id"),
        ({"target_sae_ids": []}, "target_sae_ids"),
        ({"target_sae_ids": ["a", "a"]}, "target_sae_ids"),
        ({"target_sae_ids": "encryptor2"}, "target_sae_ids"),
        ({"extension_optional": {}}, "extension_optional"),  # minProperties: 1
        ({"extension_optional": {"mine": 1}}, "extension_optional"),
        ({"extension_mandatory": []}, "extension_mandatory"),
    ],
)  # fmt: skip
def test_a_key_container_that_is_none_is_refused_with_400(changed, topic):
    error = refused(lambda: read(**changed))
    assert (error.http, list(error.body["details"])) == (400, [topic])


@pytest.mark.parametrize(
    "value",
    [
        "", "!", "AAAA", VALUE[:-1], VALUE.replace("/", "_"), VALUE + "\n", " " + VALUE,
        VALUE[:-2] + "t=",  # other padding bits of the same bytes
        base64.b64encode(bytes(7)).decode(), base64.b64encode(bytes(1025)).decode(), None, 7,
    ],
)  # fmt: skip
def test_a_value_that_is_no_key_is_refused(value):
    error = refused(lambda: read(keys=[{"key_id": ID, "value": value}]))
    assert (error.http, list(error.body["details"])) == (400, ["value"])


def test_more_targets_than_are_supported_are_refused_with_503():
    error = refused(lambda: read(target_sae_ids=["a", "b", "c"]))
    assert (error.http, list(error.body["details"])) == (503, ["no_route_multiple_targets"])


@pytest.mark.parametrize("confirmed", [..., False, "true", 1])
def test_all_keys_are_voided_only_when_that_is_confirmed(confirmed):
    said = VOID | {"key_ids": []} | ({} if confirmed is ... else {"all_confirmation": confirmed})
    error = refused(engine.read_void, json.dumps(said).encode(), LIMITS)
    assert (error.http, list(error.body["details"])) == (400, ["no_all_confirmation"])
    said["all_confirmation"] = True
    assert engine.read_void(json.dumps(said).encode(), LIMITS).key_ids == ()


@pytest.mark.parametrize(
    "said",
    [{}, [1], [{}], [ACKS[0] | {"ack_status": "delivered"}], [ACKS[0] | {"message": "x" * 4097}],
     [ACKS[0] | {"key_id_container": ID}], [ACKS[0] | {"key_id_container": [{}]}], ACKS * 1025],
)  # fmt: skip
def test_an_acknowledgement_that_is_none_is_refused(said):
    assert refused(engine.read_acks, json.dumps(said).encode(), LIMITS).http == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"null", b"[]", b"[" * 100_000, b'{"keys": [], "keys": []}'],
)
@pytest.mark.parametrize("call", [engine.read_keys, engine.read_void])
def test_what_is_no_object_is_refused(call, body):
    assert refused(call, body, LIMITS).http == 400


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*EXAMPLE, *VOID, *ACKS[0], "key_id", "value"]), inner, max_size=6),
    max_leaves=12,
))  # fmt: skip
def test_whatever_comes_is_read_or_refused(said):
    body = json.dumps(said).encode()
    for call in (engine.read_keys, engine.read_void, engine.read_acks):
        with contextlib.suppress(engine.InteropRefusedError):  # and nothing else is raised
            call(body, LIMITS)
