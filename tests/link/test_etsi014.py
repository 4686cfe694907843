"""The port of ETSI GS QKD 014 as a client meets it: real TLS, real certificates, a stub of the store."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from dataclasses import replace

import pytest

from renkei.kit.errors import ConflictError
from renkei.link import door, endpoints, engine

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(settings, tmp_path):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path)
    return settings.NODE


class Stub:
    """A dispenser that says what a test wants."""

    def __init__(self):
        self.asked = []
        self.answer = [door.Key("id", b"\1" * 32, simulated=False)]

    def ask(self, caller, asked):
        self.asked.append((caller, asked))
        if isinstance(asked, door.Count):
            return 7
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Port:
    def __init__(self, server, stub, out):
        self.server, self.stub, self.out = server, stub, out
        self.number = server.server_address[1]

    def tls(self, sae=None, ca=None):
        tls = ssl.create_default_context(cafile=ca or self.out / "us-ca.crt")
        if sae:
            tls.load_cert_chain(self.out / f"{sae}.crt", self.out / f"{sae}.key")
        return tls

    def client(self, sae="us.a", **more):
        return http.client.HTTPSConnection(
            "127.0.0.1", self.number, context=self.tls(sae, **more), timeout=20
        )

    def ask(self, path, body=None, sae="us.a", method=None, **headers):
        link = self.client(sae)
        method = method or ("GET" if body is None else "POST")
        given = json.dumps(body) if isinstance(body, dict) else body
        link.request(method, f"/api/v1/keys/{path}", given, headers)
        answer = link.getresponse()
        said = answer.read()
        link.close()
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, json.loads(said) if said else None


@pytest.fixture
def port(node, tmp_path):
    out = tmp_path / "out"
    door.add_sae("a", out)
    stub = Stub()
    server = endpoints.Server(("127.0.0.1", 0), endpoints.tls_context(), {"jp": stub})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Port(server, stub, out)
    server.shutdown()
    server.server_close()
    thread.join()


def test_status_is_of_the_caller_that_the_certificate_names(port):
    status, said = port.ask("jp.b/status", **{"X-SAE-ID": "us.other"})

    assert status == 200
    assert (said["master_SAE_ID"], said["slave_SAE_ID"]) == ("us.a", "jp.b")
    assert (said["source_KME_ID"], said["target_KME_ID"]) == ("us.kme", "jp.kme")
    assert said["stored_key_count"] == 7
    assert port.stub.asked[0][0].name == "us.a"


def test_keys_are_drawn_by_get_and_post(port):
    for body, query in ((None, "?number=3&size=512"), ({"number": 3, "size": 512}, "")):
        status, said = port.ask(f"jp.b/enc_keys{query}", body)
        assert status == 200
        assert base64.b64decode(said["keys"][0]["key"]) == b"\1" * 32
    draws = [asked for _caller, asked in port.stub.asked]
    assert draws[0] == draws[1] == door.Draw("us.a", ("jp.b",), 64, 3)


def test_more_slaves_are_those_of_the_body(port):
    port.ask("jp.b/enc_keys", {"additional_slave_SAE_IDs": ["jp.c", "jp.b", "us.d"]})
    assert port.stub.asked[0][1].slaves == ("jp.b", "jp.c", "us.d")
    status, _said = port.ask("jp.b/enc_keys", {"additional_slave_SAE_IDs": ["fr.c"]})
    assert status == 400


def test_keys_are_fetched_by_get_and_post(port):
    assert port.ask("jp.b/dec_keys?key_ID=abc")[0] == 200
    assert port.ask("jp.b/dec_keys", {"key_IDs": [{"key_ID": "abc"}]})[0] == 200
    asked = [one for _caller, one in port.stub.asked]
    assert asked[0] == asked[1] == door.Fetch("us.a", "jp.b", ("abc",))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (door.KeyNotFoundError("x"), 400, "one or more keys specified are not found on KME"),
        (door.UnmetError("x"), 400, "not all extension_mandatory request options could be met"),
        (door.NotYoursError("x"), 401, None),
        (engine.PoolEmptyError("no key"), 503, "no key"),
        (door.QuotaError("quota"), 503, "quota"),
        (door.PartnerSilentError("silent"), 503, "silent"),
        (engine.DamagedKeyError("damaged"), 503, "damaged"),
    ],
)
def test_refusals_are_those_of_the_standard(port, error, status, message):
    port.stub.answer = error
    assert port.ask("jp.b/enc_keys") == (status, {"message": message} if message else None)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("jp.b/enc_keys?size=257", None, 400),
        ("jp.b/enc_keys", b"{", 400),
        ("jp.b/enc_keys", b"\xff", 400),
        ("jp.b/nothing", None, 404),
        ("jp.b/status", {}, 405),
        ("fr.b/enc_keys", None, 400),
        ("jp.b/dec_keys", {"key_IDs": []}, 400),
    ],
)
def test_what_cannot_be_read_is_refused(port, path, body, status):
    answer, said = port.ask(path, body)
    assert answer == status
    assert said["message"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_other_methods_are_refused_with_those_that_are_allowed(port, method):
    with contextlib.closing(port.client()) as link:
        link.request(method, "/api/v1/keys/jp.b/enc_keys")
        answer = link.getresponse()
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
        assert answer.headers["Cache-Control"] == "no-store"
    with contextlib.closing(port.client()) as link:
        link.request("POST", "/api/v1/keys/jp.b/status", b"{}")
        answer = link.getresponse()
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert port.stub.asked == []


def test_no_certificate_is_answered_401_without_a_body(port):
    assert port.ask("jp.b/status", sae=None) == (401, None)


def test_a_foreign_certificate_is_cut_off(port, settings, tmp_path):
    other = tmp_path / "other"
    (other / "keys").mkdir(parents=True)
    here, settings.NODE = settings.NODE, replace(settings.NODE, folder=other, name="jp")
    door.add_sae("x", other)
    settings.NODE = here
    tls = ssl.create_default_context(cafile=port.out / "us-ca.crt")
    tls.load_cert_chain(other / "jp.x.crt", other / "jp.x.key")

    def call(words):
        with (
            socket.create_connection(("127.0.0.1", port.number), timeout=10) as raw,
            tls.wrap_socket(raw, server_hostname="127.0.0.1") as link,
        ):
            link.sendall(words)
            time.sleep(0.05)  # the end of the connection, if it comes with what lies unread
            link.recv(100)

    for _ in range(10):  # the client hears why, whatever it has said meanwhile
        with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
            call(b"GET /api/v1/keys/jp.b/status HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 9000)
    assert port.ask("jp.b/status")[0] == 200
    assert [caller.name for caller, _asked in port.stub.asked] == ["us.a"]


def test_tls_1_2_is_the_oldest_that_is_spoken(port):
    tls = port.tls("us.a")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    link = http.client.HTTPSConnection("127.0.0.1", port.number, context=tls, timeout=10)
    with contextlib.closing(link):
        link.request("GET", "/api/v1/keys/jp.b/status")
        assert link.getresponse().status == 200
    assert endpoints.tls_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_body_of_10_mb_is_refused_and_its_sender_hears_why(port):
    status, said = port.ask("jp.b/enc_keys", b"x" * 10_000_000)
    assert status == 413
    assert "65536" in said["message"]
    assert port.stub.asked == []


def test_a_body_without_a_length_is_refused(port):
    with contextlib.closing(port.client()) as link:
        with contextlib.suppress(OSError):  # it answers, and closes, before the last chunk
            link.request("POST", "/api/v1/keys/jp.b/enc_keys", iter([b"{}"]), encode_chunked=True)
        assert link.getresponse().status == 411


@pytest.mark.parametrize(
    "junk",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/keys/x/enc_keys HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n",
    ],
)
def test_junk_is_refused_and_the_port_goes_on(port, junk):
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port.number), timeout=10) as raw,
        port.tls("us.a").wrap_socket(raw, server_hostname="127.0.0.1") as link,
        contextlib.suppress(OSError),
    ):
        link.sendall(junk)
        answer = link.recv(100) if junk.strip() else b""
    assert not answer.startswith(b"HTTP/1.1 200")
    assert port.ask("jp.b/status")[0] == 200


def said_to(port, request):
    """Return all that the port answers to some bytes until it closes or is silent."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port.number), timeout=20) as raw,
        port.tls("us.a").wrap_socket(raw, server_hostname="127.0.0.1") as link,
        contextlib.suppress(OSError),
    ):
        link.settimeout(2)
        link.sendall(request)
        while more := link.recv(1 << 16):
            answer += more
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /api/v1/keys/jp.b/enc_keys HTTP/1.1\r\nHost: x\r\n%s\r\n{}   "
        % b"Content-Length: 2\r\nContent-Length: 5\r\n",
        b"GET /api/v1/keys/jp.b/enc_keys HTTP/1.1\r\n\r\n",
        b"GET /api/v1/keys/jp.b/enc_keys HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /api/v1/keys/jp.b/enc_keys\r\n\r\n",
        b"\0\1\2\r\n\r\n",
    ],
)
def test_what_http_1_1_forbids_is_answered_400_and_draws_no_key(port, request_):
    """RFC 9112, 3.2 and 6.3: two lengths, no host or two; and what came before HTTP had versions."""
    answer = said_to(port, request_)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Cache-Control: no-store" in answer
    assert port.stub.asked == []


@pytest.mark.parametrize("how", [b"Content-Length: %d", b"Transfer-Encoding: chunked"])
def test_the_body_of_a_get_is_no_second_request(port, how):
    inner = b"GET /api/v1/keys/jp.b/enc_keys HTTP/1.1\r\nHost: x\r\n\r\n"
    how = how % len(inner) if b"%d" in how else how
    head = b"GET /api/v1/keys/jp.b/status HTTP/1.1\r\nHost: x\r\n" + how + b"\r\n\r\n"

    answer = said_to(port, head + inner)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert [type(asked) for _caller, asked in port.stub.asked] == [door.Count]


def test_who_speaks_no_tls_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port.number), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while said := raw.recv(1000):
                assert b"HTTP" not in said
    assert port.ask("jp.b/status")[0] == 200


def test_one_connection_carries_many_requests_without_delay(port):
    begun = time.perf_counter()
    with contextlib.closing(port.client()) as link:
        for _ in range(50):
            link.request("GET", "/api/v1/keys/jp.b/enc_keys?number=1")
            answer = link.getresponse()
            assert answer.status == 200
            answer.read()
    # With Nagle's algorithm each answer would wait 40 ms for an acknowledgement.
    assert time.perf_counter() - begun < 50 * 0.035


# Certificates


def test_a_certificate_names_its_sae_and_ends(port):
    from cryptography import x509

    made = x509.load_pem_x509_certificate((port.out / "us.a.crt").read_bytes())
    authority = x509.load_pem_x509_certificate((port.out / "us-ca.crt").read_bytes())
    made.verify_directly_issued_by(authority)
    assert made.subject.rfc4514_string() == "CN=us.a"
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days <= 400
    assert (port.out / "us.a.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "a b", "ü", "a/b", "x" * 70, "kme", "a\n"])
def test_a_name_that_cannot_be_is_refused(node, tmp_path, name):
    with pytest.raises((door.SaeNameError, ConflictError)):
        door.add_sae(name, tmp_path)


def test_a_name_is_given_once(port, tmp_path):
    with pytest.raises(ConflictError, match="there is an SAE us"):
        door.add_sae("a", tmp_path)
    door.revoke_sae("us.a")
    with pytest.raises(ConflictError):
        door.add_sae("us.a", tmp_path)
    with pytest.raises(door.NoSaeError):
        door.revoke_sae("us.a")


def test_the_authority_is_made_once_and_the_key_managers_certificate_renewed(port, monkeypatch):
    where = door.ensure_authority()
    before = {file.name: file.read_bytes() for file in where.iterdir()}
    door.ensure_authority()
    assert before == {file.name: file.read_bytes() for file in where.iterdir()}

    monkeypatch.setattr(door._authority, "RENEW_DAYS", 500)
    door.ensure_authority()

    after = {file.name: file.read_bytes() for file in where.iterdir()}
    assert after["ca.crt"] == before["ca.crt"]
    assert after["kme.crt"] != before["kme.crt"]
