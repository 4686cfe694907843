"""A key manager of another vendor at the port: real TLS, its own certificate, and what it may not do.

The other key manager is written here, from the OpenAPI description of ETSI GS QKD 020 V1.1.1, and
shares no code with ours.
"""

import base64
import contextlib
import datetime as dt
import http.client
import http.server
import json
import secrets
import ssl
import threading
import time
import uuid
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renkei.kit.errors import ConflictError
from renkei.link import door, endpoints, engine
from renkei.link.models import Handed, Kme, Link

KEYS, ACK, VOID = (f"/kmapi/v1/ext_keys{end}" for end in ("", "/ack", "/void"))
US_A, THEIRS = "us.a", "vendor-encryptor1"


def certificate(folder, name, *, ca=False, says=True, common_name=None):
    """Make a certificate that signs itself, as another vendor's key manager may have one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=9))
    )  # fmt: skip
    if says:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
    made = builder.sign(key, hashes.SHA256())
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return made


class Vendor:
    """Another vendor's key manager: answers what a test wants, and remembers what it heard."""

    def __init__(self, folder, ours):
        certificate(folder, "vendor")
        self.folder, self.ours = folder, ours
        self.heard = []
        self.status = {KEYS: 202, ACK: 200, VOID: 202}
        self.says = "relayed"  # of keys that it is given; nothing: never
        vendor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                self._answer(200, b'{"versions": ["v1"], "capabilities": ["synchronous_mode"]}')

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                vendor.heard.append((self.path, said))
                self._answer(vendor.status[self.path], b"")
                if self.path == KEYS and vendor.says and vendor.status[KEYS] == 202:
                    threading.Thread(target=vendor.acknowledge, args=(said, vendor.says)).start()

            def _answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "vendor.crt", folder / "vendor.key")
        tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        tls.load_verify_locations(ours / "kme.crt")
        tls.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.port = 0

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def ask(self, path, body=None, *, by="vendor", tls13=True):
        """Ask our key manager."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.load_verify_locations(self.ours / "ca.crt")
        if not tls13:
            tls.maximum_version = ssl.TLSVersion.TLSv1_2
        if by:
            tls.load_cert_chain(self.folder / f"{by}.crt", self.folder / f"{by}.key")
        link = http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=20)
        with contextlib.closing(link):
            given = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            link.request("GET" if body is None else "POST", path, given)
            answer = link.getresponse()
            said = answer.read()
        assert answer.headers["Cache-Control"] == "no-store"
        self.label = answer.headers["Renkei-Interface"]
        return answer.status, json.loads(said) if said else None

    def keys(self, *values, ids=None, **more):
        ids = ids or [str(uuid.uuid4()) for _ in values]
        return {
            "keys": [
                {"key_id": name, "value": base64.b64encode(value).decode()}
                for name, value in zip(ids, values, strict=True)
            ],
            "initiator_sae_id": THEIRS,
            "target_sae_ids": [US_A],
            "ack_callback_url": self.address + ACK,
        } | more

    def void(self, *ids, **more):
        return {
            "key_ids": list(ids),
            "initiator_sae_id": THEIRS,
            "target_sae_ids": [US_A],
            "ack_callback_url": self.address + ACK,
        } | more

    def acknowledge(self, said, status):
        body = [
            {
                "key_id_container": [{"key_id": key["key_id"]} for key in said["keys"]],
                "ack_status": status,
                "initiator_sae_id": said["initiator_sae_id"],
                "target_sae_ids": said["target_sae_ids"],
            }
        ]
        return self.ask(ACK, body)

    def acked(self):
        """Return what our key manager said became of keys."""
        return {
            entry["key_id"]: ack["ack_status"]
            for path, said in list(self.heard) if path == ACK
            for ack in said for entry in ack["key_id_container"]
        }  # fmt: skip

    def hears(self, key_id, status):
        until = time.monotonic() + 20
        while self.acked().get(key_id) != status and time.monotonic() < until:
            time.sleep(0.05)
        return self.acked().get(key_id)


@pytest.fixture
def node(settings, tmp_path):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path, demonstration=False)
    return settings.NODE


@pytest.fixture
def at_port(node, tmp_path, transactional_db):
    """Our key manager at a port, an application of each side, and the other key manager, admitted."""
    out = tmp_path / "out"
    out.mkdir()
    ours = door.ensure_authority()
    door.add_sae("a", out)
    door.add_sae("b", out)
    vendor = Vendor(out, ours)
    door.admit_kme(
        "vendor", vendor.address, (out / "vendor.crt").read_bytes(), [THEIRS, "other-theirs"]
    )
    server = endpoints.Server(("127.0.0.1", 0), endpoints.tls_context(), {})
    vendor.port = server.server_address[1]
    server.interop.refresh()
    stop = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}),
        threading.Thread(target=server.interop.run, args=(stop,)),
    ]
    for thread in threads:
        thread.start()
    yield vendor, Sae014(server, out)
    stop.set()
    server.interop.wake()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()
    vendor.close()


class Sae014:
    """An application of this node, as it draws keys by ETSI GS QKD 014."""

    def __init__(self, server, out):
        self.server, self.out = server, out

    def rows(self):
        """Return what is stored; the test database can be read by one thread at a time."""
        return self.server.interop.do(lambda: list(Handed.objects.order_by("pk")))

    def kme(self):
        return self.server.interop.do(Kme.objects.get)

    def ask(self, path, sae=US_A, body=None):
        tls = ssl.create_default_context(cafile=self.out / "us-ca.crt")
        tls.load_cert_chain(self.out / f"{sae}.crt", self.out / f"{sae}.key")
        link = http.client.HTTPSConnection(
            "127.0.0.1", self.server.server_address[1], context=tls, timeout=40
        )
        with contextlib.closing(link):
            given = None if body is None else json.dumps(body)
            link.request("GET" if body is None else "POST", f"/api/v1/keys/{path}", given)
            answer = link.getresponse()
            said = answer.read()
        return answer.status, json.loads(said) if said else None

    def fetch(self, *ids, sae=US_A, master=THEIRS):
        return self.ask(f"{master}/dec_keys", sae, {"key_IDs": [{"key_ID": one} for one in ids]})


def test_keys_that_are_handed_over_are_drawn_once_and_say_where_they_come_from(at_port):
    vendor, sae = at_port
    values = [secrets.token_bytes(32), secrets.token_bytes(64)]
    said = vendor.keys(*values, extension_optional={"E32473_qos": 1})
    first, second = (key["key_id"] for key in said["keys"])

    assert vendor.ask("/kmapi/versions") == (200, {"versions": ["v1"], "capabilities": []})
    assert vendor.label.startswith("draft;")
    assert vendor.ask(KEYS, said) == (202, None)
    assert vendor.hears(first, "relayed") == vendor.hears(second, "relayed") == "relayed"
    assert sae.fetch(first, sae="us.b")[0] == 401  # of another application, and it is still there
    assert sae.fetch(first, master="other-theirs")[0] == 401
    status, got = sae.fetch(first, second)
    assert status == 200
    assert [base64.b64decode(key["key"]) for key in got["keys"]] == values
    assert got["keys"][0]["key_extension"] == {
        "source": "external", "kme": "vendor", "extension": {"E32473_qos": 1},
    }  # fmt: skip
    assert sae.fetch(first)[0] == 400
    assert sae.fetch(str(uuid.uuid4()))[0] == 400

    # The same message again is acknowledged again, and gives nothing again.
    vendor.heard.clear()
    assert vendor.ask(KEYS, said)[0] == 202
    assert vendor.hears(first, "relayed") == "relayed"
    assert sae.fetch(first)[0] == 400
    assert all(bytes(row.sealed) == b"" for row in sae.rows())


def test_at_rest_is_only_ciphertext(at_port):
    vendor, sae = at_port
    value = secrets.token_bytes(32)
    assert vendor.ask(KEYS, vendor.keys(value))[0] == 202
    (row,) = sae.rows()
    stored = b"".join(
        str(getattr(row, field.name)).encode() + bytes(row.sealed) for field in row._meta.fields
    )
    for form in (value, value.hex().encode(), base64.b64encode(value)):
        assert form not in stored


def test_another_key_under_the_same_name_or_the_same_key_under_another_is_refused(at_port):
    vendor, sae = at_port
    value = secrets.token_bytes(32)
    said = vendor.keys(value)
    (name,) = (key["key_id"] for key in said["keys"])
    assert vendor.ask(KEYS, said)[0] == 202
    for changed in (
        vendor.keys(secrets.token_bytes(32), ids=[name]),
        vendor.keys(value, ids=[name], target_sae_ids=["us.b"]),
        vendor.keys(secrets.token_bytes(32), value),
    ):
        status, problem = vendor.ask(KEYS, changed)
        assert (status, list(problem["details"])) == (503, ["key_conflict"])
    assert len(sae.rows()) == 1  # nothing of a refused message was kept
    assert base64.b64decode(sae.fetch(name)[1]["keys"][0]["key"]) == value


def test_voided_keys_are_gone_and_never_come(at_port):
    vendor, sae = at_port
    said = vendor.keys(*(secrets.token_bytes(32) for _ in range(3)))
    drawn, waiting, late = (key["key_id"] for key in said["keys"])
    early = said | {"keys": said["keys"][:2]}
    assert vendor.ask(KEYS, early)[0] == 202
    assert sae.fetch(drawn)[0] == 200

    assert vendor.ask(VOID, vendor.void(drawn, waiting, late)) == (202, None)
    assert vendor.hears(drawn, "failed to void") == "failed to void"
    assert vendor.hears(waiting, "voided") == "voided"
    assert vendor.hears(late, "key not present") == "key not present"
    assert sae.fetch(waiting)[0] == 400

    # What was handed over before it was voided may arrive after: it is not taken.
    vendor.heard.clear()
    assert vendor.ask(KEYS, said | {"keys": said["keys"][1:]})[0] == 202
    assert vendor.hears(late, "failed") == vendor.hears(waiting, "failed") == "failed"
    assert sae.fetch(late)[0] == sae.fetch(waiting)[0] == 400


def test_all_keys_between_two_applications_are_voided_at_once(at_port):
    vendor, sae = at_port
    said = vendor.keys(*(secrets.token_bytes(32) for _ in range(3)))
    kept = vendor.keys(secrets.token_bytes(32), target_sae_ids=["us.b"])
    assert vendor.ask(KEYS, said)[0] == vendor.ask(KEYS, kept)[0] == 202
    assert vendor.ask(VOID, vendor.void())[0] == 400
    assert vendor.ask(VOID, vendor.void(all_confirmation=True))[0] == 202
    for key in said["keys"]:
        assert vendor.hears(key["key_id"], "voided") == "voided"
    assert sae.fetch(kept["keys"][0]["key_id"], sae="us.b")[0] == 200


def test_an_application_draws_keys_that_the_other_network_has(at_port):
    vendor, sae = at_port
    status, said = sae.ask(f"{THEIRS}/status")
    assert (status, said["target_KME_ID"]) == (200, "vendor")
    assert said["stored_key_count"] > 0

    status, got = sae.ask(f"{THEIRS}/enc_keys?number=2&size=512")
    assert status == 200, got
    ((_path, heard),) = [one for one in vendor.heard if one[0] == KEYS]
    assert {key["key_id"]: key["value"] for key in heard["keys"]} == {
        key["key_ID"]: key["key"] for key in got["keys"]
    }
    assert (heard["initiator_sae_id"], heard["target_sae_ids"]) == (US_A, [THEIRS])
    assert heard["ack_callback_url"] == door.own_address() + ACK
    assert "extension_mandatory" not in heard
    assert {len(base64.b64decode(key["key"])) for key in got["keys"]} == {64}
    assert got["keys"][0]["key_extension"] == {"source": "generated", "kme": "vendor"}
    # The other side's acknowledgement again changes nothing; to void them is too late.
    assert vendor.acknowledge(heard, "relayed")[0] == 200
    assert vendor.ask(VOID, vendor.void(
        heard["keys"][0]["key_id"], initiator_sae_id=US_A, target_sae_ids=[THEIRS]
    ))[0] == 202  # fmt: skip
    assert vendor.hears(heard["keys"][0]["key_id"], "failed to void") == "failed to void"
    assert all(bytes(row.sealed) == b"" for row in sae.rows())

    body = {"extension_mandatory": [{"renkei_source": "quantum"}]}
    assert sae.ask(f"{THEIRS}/enc_keys", US_A, body)[0] == 400
    body = {"additional_slave_SAE_IDs": ["us.b"]}
    assert sae.ask(f"{THEIRS}/enc_keys", US_A, body)[0] == 400


@pytest.mark.parametrize(
    ("status", "says", "is_voided"),
    [(202, "failed", False), (503, "", True), (400, "", False), (401, "", False)],
)
def test_nobody_has_a_key_that_the_other_network_did_not_take(at_port, status, says, is_voided):
    vendor, sae = at_port
    vendor.status[KEYS], vendor.says = status, says
    answer, said = sae.ask(f"{THEIRS}/enc_keys")
    assert (answer, "has not delivered" in said["message"]) == (503, True)
    (row,) = sae.rows()
    assert (row.state, bytes(row.sealed)) == ("void", b"")
    until = time.monotonic() + (10 if is_voided else 0.3)
    while time.monotonic() < until and not any(path == VOID for path, _said in vendor.heard):
        time.sleep(0.05)
    assert any(path == VOID for path, _said in vendor.heard) == is_voided


def test_silence_is_no_delivery_and_a_late_word_does_not_revive_the_key(at_port, monkeypatch):
    vendor, sae = at_port
    monkeypatch.setattr(endpoints._etsi020, "GIVE_SECONDS", 0.5)
    vendor.says = ""
    assert sae.ask(f"{THEIRS}/enc_keys")[0] == 503
    heard = next(said for path, said in vendor.heard if path == KEYS)
    assert vendor.acknowledge(heard, "relayed")[0] == 200
    assert [row.state for row in sae.rows()] == ["void"]


def refused(answer):
    status, problem = answer
    assert problem["status"] == status
    assert problem["type"].startswith("https://qkd.etsi.org/gs020-interop-kms/")
    return status, next(iter(problem["details"]))


def test_nobody_else_is_heard(at_port, tmp_path):
    vendor, sae = at_port
    said = vendor.keys(secrets.token_bytes(32))
    assert refused(vendor.ask(KEYS, said, by="")) == (401, "unauthorized")
    assert refused(vendor.ask(KEYS, said, by="us.a")) == (401, "unauthorized")
    assert refused(vendor.ask(KEYS, said, tls13=False)) == (401, "unauthorized")
    certificate(vendor.folder, "stranger", common_name="vendor")
    with pytest.raises((OSError, http.client.HTTPException)):
        vendor.ask(KEYS, said, by="stranger")
    assert refused(vendor.ask(KEYS, said | {"initiator_sae_id": "us.b"})) == (401, "unauthorized")
    assert refused(vendor.ask(KEYS, said | {"target_sae_ids": ["us.nobody"]})) == (
        400, "target_sae_id_not_recognized",
    )  # fmt: skip
    assert refused(vendor.ask(KEYS, said | {"target_sae_ids": ["jp.b"]}))[0] == 400
    assert refused(vendor.ask(KEYS, said | {"target_sae_ids": ["us.node"]}))[0] == 400
    elsewhere = said | {"ack_callback_url": "https://127.0.0.1:1/kmapi/v1/ext_keys/ack"}
    assert refused(vendor.ask(KEYS, elsewhere)) == (400, "ack_callback_url")
    simulated = said | {"extension_mandatory": {"E32473_renkei_source": "simulated"}}
    assert refused(vendor.ask(KEYS, simulated)) == (400, "simulated")
    assert refused(vendor.ask(KEYS, b"x" * 10_000_000))[0] == 413
    assert refused(vendor.ask(KEYS, b"{"))[0] == 400
    assert refused(vendor.ask("/kmapi/v2/ext_keys", said))[0] == 404
    assert refused(vendor.ask(KEYS))[0] == 405
    assert refused(vendor.acknowledge(said, "relayed")) == (400, "key_not_present")
    assert sae.rows() == []

    # It is no application, whatever its certificate is called.
    assert vendor.ask(f"/api/v1/keys/{THEIRS}/enc_keys")[0] == 401
    assert sae.rows() == []

    sae.server.interop.do(door.remove_kme, "vendor")
    sae.server.interop.refresh()
    assert refused(vendor.ask(KEYS, said)) == (401, "unauthorized")
    assert sae.ask(f"{THEIRS}/enc_keys")[0] == 400


def test_a_certificate_with_an_applications_name_is_no_application(at_port):
    vendor, sae = at_port
    made = certificate(vendor.folder, "liar", common_name=US_A)
    pem = (vendor.folder / "liar.crt").read_bytes()
    sae.server.interop.do(door.admit_kme, "liar", "https://liar", pem, ["l"])
    sae.server.interop.refresh()
    assert vendor.ask(f"/api/v1/keys/{THEIRS}/enc_keys", by="liar")[0] == 401
    sae.server.interop.do(door.remove_kme, "liar")
    sae.server.interop.refresh()  # still trusted by TLS: the authority that made it is not ours
    assert vendor.ask(f"/api/v1/keys/{THEIRS}/enc_keys", by="liar")[0] == 401
    assert made.subject.rfc4514_string() == "CN=us.a"


def test_a_stranger_at_the_admitted_address_is_given_no_key(at_port):
    vendor, sae = at_port
    certificate(vendor.folder, "other")
    pem = (vendor.folder / "other.crt").read_bytes()
    sae.server.interop.do(door.admit_kme, "vendor", vendor.address, pem, [THEIRS])
    sae.server.interop.refresh()
    status, said = sae.ask(f"{THEIRS}/enc_keys")
    assert (status, "does not answer" in said["message"]) == (503, True)
    assert vendor.heard == []


def test_what_it_speaks_is_asked(at_port):
    _vendor, sae = at_port
    kme = sae.kme()
    assert door.ask_versions(kme)["versions"] == ["v1"]
    kme.address = "https://127.0.0.1:1"
    with pytest.raises(door.KmeSilentError):
        door.ask_versions(kme)


# Who is admitted


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "http://vendor"}, {"address": "https://vendor/kmapi"}, {"address": "vendor"},
        {"saes": []}, {"saes": ["us.b"]}, {"saes": ["jp.b"]}, {"saes": ["a b"]},
        {"pem": b"nothing"}, {"name": "us"}, {"certificate": {"ca": True}},
        {"certificate": {"says": False}},
    ],
)  # fmt: skip
def test_what_cannot_be_admitted_is_refused(node, tmp_path, wrong):
    certificate(tmp_path, "v", **wrong.get("certificate", {}))
    given = {
        "name": "vendor", "address": "https://vendor:443",
        "pem": (tmp_path / "v.crt").read_bytes(), "saes": ["theirs"],
    } | {name: value for name, value in wrong.items() if name != "certificate"}  # fmt: skip
    with pytest.raises(door.BadKmeError):
        door.admit_kme(*given.values())
    assert door.kmes() == []


@pytest.mark.django_db
def test_an_application_and_a_certificate_are_of_one_key_manager(node, tmp_path):
    certificate(tmp_path, "v")
    certificate(tmp_path, "w")
    pem, other = ((tmp_path / f"{name}.crt").read_bytes() for name in "vw")
    door.admit_kme("vendor", "https://vendor", pem, ["theirs"])
    for saes, proof in ((["theirs"], other), (["more"], pem)):
        with pytest.raises(ConflictError):
            door.admit_kme("other", "https://other", proof, saes)
    with pytest.raises(door.SimulatedRefusedError):
        door.admit_kme("other", "https://other", other, ["more"], simulated=True)
    with pytest.raises(door.NoKmeError):
        door.remove_kme("other")
    door.remove_kme("vendor")
    assert door.admit_kme("other", "https://other", pem, ["theirs"]).saes == ["theirs"]


@pytest.mark.django_db
def test_what_a_crash_left_between_is_destroyed_at_both(vendor_row):
    kme = vendor_row
    draw = door.Draw(US_A, (THEIRS,), 32, 1)
    said = door.begin_giving(kme, draw, "https://us" + ACK, timezone.now())
    assert door.are_given(said) is None
    door.give_up_unfinished()
    assert door.are_given(said) is False
    with pytest.raises(door.KeyNotFoundError):
        door.end_giving(said)
    (due,) = [one for one in door.due("https://us" + ACK) if one.path == VOID]
    assert json.loads(due.body)["key_ids"] == [Handed.objects.get().key_id]


@pytest.mark.django_db
def test_a_node_that_was_set_back_gives_nothing_that_it_may_have_given(vendor_row):
    link = Link.objects.create(own="us", partner="jp", simulated=False)
    container = engine.KeyContainer(
        keys=(engine.HandedKey(NAMES[0], VALUES[0]),), initiator=THEIRS, targets=(US_A,),
        callback=vendor_row.callback,
    )  # fmt: skip
    door.take_keys(vendor_row, container)
    door.burn_to(link, engine.Counters(engine.Position(3, 0), 7))
    with pytest.raises(door.KeyNotFoundError):
        door.fetch_handed(vendor_row, door.Fetch(US_A, THEIRS, (NAMES[0],)))


# Messages in any order


NAMES = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(3)]
VALUES = [bytes([n]) * 32 for n in range(3)]
STEPS = st.lists(
    st.tuples(st.just("take"), st.sampled_from(NAMES), st.sampled_from(VALUES))
    | st.tuples(st.sampled_from(["void", "fetch", "restart"]), st.sampled_from(NAMES), st.none()),
    max_size=14,
)


@pytest.mark.django_db
@given(steps=STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_whatever_order_messages_come_no_key_is_given_twice(vendor_row, steps):
    """Replays, reorderings, other keys under known names: a key and a name are given once at most."""
    Handed.objects.all().delete()
    given, voided = [], set()
    for what, name, value in steps:
        if what == "take":
            container = engine.KeyContainer(
                keys=(engine.HandedKey(name, value),), initiator=THEIRS, targets=(US_A,),
                callback=vendor_row.callback,
            )  # fmt: skip
            with contextlib.suppress(engine.InteropRefusedError):
                door.take_keys(vendor_row, container)
        elif what == "void":
            door.void_keys(vendor_row, engine.VoidRequest(
                key_ids=(name,), initiator=THEIRS, targets=(US_A,), callback=vendor_row.callback
            ))  # fmt: skip
            if Handed.objects.get(key_id=name).to_say != "failed to void":
                voided.add(name)
        elif what == "fetch":
            with contextlib.suppress(door.KeyNotFoundError):
                (key,) = door.fetch_handed(vendor_row, door.Fetch(US_A, THEIRS, (name,)))
                assert name not in voided
                given.append((name, key.key))
        else:
            door.give_up_unfinished()
    assert len({name for name, _key in given}) == len(given)
    assert len({key for _name, key in given}) == len(given)


@pytest.fixture
def vendor_row(node, tmp_path, db):
    certificate(tmp_path, "v")
    door.add_sae("a", tmp_path)
    return door.admit_kme("v", "https://v", (tmp_path / "v.crt").read_bytes(), [THEIRS])
