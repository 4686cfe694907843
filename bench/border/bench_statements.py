"""Statements, receipts, requests and sealed content, on one core; beside OpenSSL's Ed25519.

CPU time, the best of a few rounds. The limit of a statement is the bare signature by ``openssl
speed``; the peer is canonical JSON by ``rfc8785`` around the same signature, written once for the
signature and once for the entry.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import rfc8785
from bench.rows import keep, row
from tests.border.engine.pair import NOON, SALT, Node, act, receipt

from renkei.border import engine

ROUNDS = 5
STATEMENTS = 2_000
BODY = {
    "amount": "12500000.00",
    "currency": "USD",
    "content": {
        "title": "Joint materials facility",
        "title_ja": "共同材料研究施設",
        "milestones": [{"id": "m1", "due": "2027-03-31"}, {"id": "m2", "due": "2027-09-30"}],
        "parties": ["JP", "US"],
    },
    "note": "x" * 300,
}
REF = engine.Ref("jp.example/log", 7, "a" * 64)


def best(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few rounds, seconds."""
    times = []
    for _round in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def openssl_rates() -> tuple[float, float]:
    """Return Ed25519 signatures made and checked a second, by OpenSSL on one core."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ed25519"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Ed25519\)\s+\S+\s+\S+\s+(\S+)\s+(\S+)", done.stdout)
    if found is None:
        raise SystemExit(f"openssl speed said something else:\n{done.stdout}")
    return float(found[1]), float(found[2])


def statement(node: Node, number: int, *, solemn: bool) -> bytes:
    """Compose one statement of some 1,050 bytes, or 4,400 with both signatures."""
    return engine.compose(
        type="record.commitment.stated",
        id=f"c-{number}",
        issuer=node.origin,
        issued=NOON,
        record="record.commitment/us/c-17",
        parent="0" * 64,
        body=BODY,
        refs=[REF],
        signers=node.keys.log.both if solemn else (node.keys.log.ed25519,),
    )


def with_rfc8785(node: Node, number: int) -> bytes:
    """Compose the same statement in the plain way."""
    said = {
        "type": "record.commitment.stated",
        "id": f"c-{number}",
        "issuer": node.origin,
        "issued": "2026-11-22T12:00:00Z",
        "record": "record.commitment/us/c-17",
        "parent": "0" * 64,
        "body": BODY,
        "refs": [{"origin": REF.origin, "index": REF.index, "leaf": REF.leaf}],
        "version": "1.0",
    }
    key = node.keys.log.ed25519
    signature = key.sign(b"renkei-statement/v1\n\0" + rfc8785.dumps(said))
    signed = [{"kid": key.kid, "alg": key.alg, "sig": engine.encode_base64(signature)}]
    return rfc8785.dumps(said | {"signatures": signed})


def rows() -> Iterator[dict[str, Any]]:
    """Measure."""
    us, jp = Node("us", "US"), Node("jp", "JP")
    signs, checks = openssl_rates()
    numbers = range(STATEMENTS)
    if statement(us, 1, solemn=False) != with_rfc8785(us, 1):
        raise SystemExit("the two ways of writing differ")
    spent = best(lambda: [statement(us, each, solemn=False) for each in numbers])
    plain = best(lambda: [with_rfc8785(us, each) for each in numbers])
    yield {
        "task": "statements composed and signed with Ed25519", "value": STATEMENTS / spent,
        "unit": "1/s CPU", "target": ">= 5000", "peer": "rfc8785 and the same signature",
        "peer_value": STATEMENTS / plain, "ratio": plain / spent,
        "limit": "OpenSSL Ed25519 sign", "limit_value": signs,
    }  # fmt: skip
    data = [statement(us, each, solemn=False) for each in numbers]
    keys = [us.keys.log.public]
    spent = best(
        lambda: [engine.verify_envelope(engine.read_envelope(each), keys) for each in data]
    )
    yield {
        "task": "statements read and verified, Ed25519", "value": STATEMENTS / spent,
        "unit": "1/s CPU", "target": ">= 4000", "limit": "OpenSSL Ed25519 verify",
        "limit_value": checks, "ratio": STATEMENTS / spent / checks,
    }  # fmt: skip
    few = range(STATEMENTS // 10)
    spent = best(lambda: [statement(us, each, solemn=True) for each in few])
    yield {
        "task": "statements composed and signed with both algorithms", "value": len(few) / spent,
        "unit": "1/s CPU", "target": "",
    }  # fmt: skip
    solemn = [statement(us, each, solemn=True) for each in few]
    spent = best(
        lambda: [
            engine.verify_envelope(engine.read_envelope(each), keys, require=engine.BOTH)
            for each in solemn
        ]
    )
    yield {
        "task": "statements read and verified, both algorithms", "value": len(few) / spent,
        "unit": "1/s CPU", "target": "",
    }  # fmt: skip

    us.fill(1_000)
    file = receipt(us, jp, refs=act(us, jp))
    log = json.loads(file)["logs"][0]
    paths = sum(len(engine.canonical(each["path"])) for each in log["entries"])
    yield {
        "task": "receipt: proofs and signatures of one log", "value": len(log["checkpoint"]) + paths,
        "unit": "bytes", "target": "<= 12000", "note": f"whole file {len(file):,} bytes",
    }  # fmt: skip
    spent = best(lambda: [engine.verify_receipt(file) for _each in range(20)])
    yield {
        "task": "receipt verified", "value": 1_000 * spent / 20, "unit": "ms CPU", "target": "<= 1000",
    }  # fmt: skip

    address = "https://jp.example/border/v1/hint"
    kind = {"Content-Type": "application/json"}

    def sign() -> dict[str, str]:
        return engine.sign_request(
            "POST", address, kind, b"{}", keys=us.keys.log, now=NOON, nonce="n",
            lifetime=timedelta(seconds=60),
        )  # fmt: skip

    headers = sign()
    spent = best(lambda: [sign() for _each in range(100)])
    yield {
        "task": "requests signed with both algorithms", "value": 100 / spent, "unit": "1/s CPU",
        "target": "",
    }  # fmt: skip
    spent = best(
        lambda: [
            engine.verify_request("POST", address, headers, b"{}", keys=keys, now=NOON)
            for _each in range(100)
        ]
    )
    yield {
        "task": "requests verified with both algorithms", "value": 100 / spent, "unit": "1/s CPU",
        "target": "",
    }  # fmt: skip

    place = {"issuer": us.origin, "recipient": jp.origin, "entry": "c-1"}
    content = bytes(900)
    commitment = engine.commitment_of(content, SALT)

    def seal() -> bytes:
        return engine.seal(content, SALT, to=jp.keys.sealing.public, **place)

    sealed = seal()
    spent = best(lambda: [seal() for _each in range(300)])
    yield {
        "task": "contents of 900 bytes sealed",
        "value": 300 / spent,
        "unit": "1/s CPU",
        "target": "",
    }
    spent = best(
        lambda: [
            engine.unseal(sealed, keys=[jp.keys.sealing], commitment=commitment, **place)
            for _each in range(300)
        ]
    )
    yield {
        "task": "contents of 900 bytes opened",
        "value": 300 / spent,
        "unit": "1/s CPU",
        "target": "",
    }


def main() -> None:
    """Measure and add the rows to those of the room."""
    keep("border", (row(**one) for one in rows()))


if __name__ == "__main__":
    main()
