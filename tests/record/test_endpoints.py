"""The record's API: what lists and things say, who may write, and how bad input is refused."""

import json
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from renkei.base.models import ApiToken
from renkei.record import door, engine
from renkei.record.models import Change, Claim, Commitment, Finding, Milestone, Source, State
from renkei.record.schemas import Commitments

ROOT = "/node/v1/record"


class Program:
    """A caller of the API, with or without a token."""

    def __init__(self, token=None):
        self.browser = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path, **headers):
        return self.browser.get(f"{ROOT}/{path}", headers=self.headers | headers)

    def send(self, path, body, *, method="post", kind="application/json"):
        content = body if isinstance(body, bytes) else json.dumps(body)
        return getattr(self.browser, method)(
            f"{ROOT}/{path}", data=content, content_type=kind, headers=self.headers
        )

    def upload(self, path, **fields):
        return self.browser.post(f"{ROOT}/{path}", data=fields, headers=self.headers)

    def delete(self, path):
        return self.browser.delete(f"{ROOT}/{path}", headers=self.headers)


@pytest.fixture
def public(shipped):
    return Program()


@pytest.fixture
def program(shipped, officer):
    return Program(ApiToken.issue(user=officer, name="test"))


def refused(answer, status, code=None):
    """Assert a problem document (RFC 9457) and return it."""
    assert answer.status_code == status, answer.content[:500]
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["detail"]
    assert said["title"]
    if code:
        assert said["code"] == code
    return said


@pytest.mark.parametrize(
    ("name", "count"),
    [("commitments", 80), ("findings", 46), ("organisations", 93), ("sources", 5)],
)
def test_lists_have_a_count_and_items_and_nothing_else(public, name, count):
    whole = public.get(f"{name}?limit=200").json()
    assert set(whole) == {"count", "items"}
    assert (whole["count"], len(whole["items"])) == (count, count)

    piece = public.get(f"{name}?limit=2&offset=1").json()
    assert piece["count"] == count
    assert [item["slug"] for item in piece["items"]] == [
        item["slug"] for item in whole["items"][1:3]
    ]
    assert public.get(f"{name}?offset={count}").json() == {"count": count, "items": []}


def test_the_list_is_what_its_schema_says(public):
    """It is written without asking the schema, which would turn wrong types into right ones."""
    told = public.get("commitments?limit=200").json()
    read = Commitments.model_validate(told, strict=False)
    assert read.model_dump(mode="json", by_alias=True) == told


def test_the_limit_is_fifty_unless_asked(public):
    assert len(public.get("commitments").json()["items"]) == 50


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("commitments?domain=quantum", {"domain": "quantum"}),
        ("commitments?class=context", {"class": "context"}),
        ("commitments?source=s3", {"source": "s3"}),
        ("findings?severity=high", {"severity": "high"}),
        ("findings?state=open", {"state": "open"}),
        ("organisations?kind=university", {"kind": "university"}),
        ("sources?reliability=low", {"reliability": "low"}),
    ],
)
def test_facets_choose(public, question, expected):
    answer = public.get(question).json()
    kind = question.partition("?")[0]
    everything = public.get(f"{kind}?limit=200").json()["items"]
    ((name, value),) = expected.items()
    assert {item["slug"] for item in answer["items"]} == {
        item["slug"] for item in everything if item[name] == value
    }
    assert answer["count"] == len(answer["items"]) > 0


def test_search_finds_in_both_languages(public):
    english = public.get("organisations?q=tsukuba").json()
    japanese = public.get("organisations?q=筑波").json()
    assert [item["slug"] for item in japanese["items"]] == ["tsukuba"]
    assert "tsukuba" in [item["slug"] for item in english["items"]]


@pytest.mark.parametrize(
    "query",
    [
        "100%",
        "_",
        "' OR 1=1 --",
        '"',
        "a OR b",
        "NEAR(a b)",
        "*",
        "-",
        "col:a",
        "(",
        "\\",
        "😀",
        "a" * 200,
        "& | ! <->",
    ],
)
def test_operators_of_databases_are_words_like_any_other(public, query):
    for name in ("commitments", "findings", "sources", "organisations"):
        answer = public.browser.get(f"{ROOT}/{name}", {"q": query})
        assert answer.status_code == 200
        assert answer.json()["count"] < 80


def test_texts_come_in_the_language_asked_for(public):
    english = public.get("commitments/s1-c01")
    japanese = public.get("commitments/s1-c01?lang=ja")
    by_header = public.get("commitments/s1-c01", **{"Accept-Language": "ja"})

    assert english.json()["title"].startswith("Joint AI research")
    assert japanese.json()["title"].startswith("日米AI共同研究")
    assert by_header.json() == japanese.json()
    assert (english["Content-Language"], japanese["Content-Language"]) == ("en", "ja")
    assert "Accept-Language" in english["Vary"]
    assert "日米" in japanese.content.decode()


def test_an_unknown_language_is_refused_by_name(public):
    said = refused(public.get("commitments?lang=fr"), 422)
    assert "en" in said["fields"]["lang"][0]
    assert "ja" in said["fields"]["lang"][0]


def test_a_commitment_is_told_whole(public):
    told = public.get("commitments/s1-c01").json()
    row = Commitment.objects.get(slug="s1-c01")

    assert told["amount"] == {
        "value": "110000000",
        "currency": "USD",
        "side": row.amount_side,
        "nature": row.amount_nature,
        "relation": row.amount_relation,
        "qualifier": row.amount_qualifier,
    }
    assert len(told["claims"]) == row.claims.count()
    claim = next(item for item in told["claims"] if item["field"] == "amount")
    assert claim["passages"] == [{"start": 881, "end": 893}]
    assert claim["money"]["currency"] == "USD"
    assert told["cluster"] == ["s1-c01", "s2-c01", "s5-c04"]
    assert told["findings"]
    assert told["history"][0]["verb"] == "load"
    assert {item["organisation"] for item in told["organisations"]} >= {"uw", "tsukuba"}


@pytest.mark.parametrize(
    "path", ["findings/x01", "sources/s1", "organisations/uw", "agreements/st-1988"]
)
def test_other_things_are_told_whole(public, path):
    told = public.get(path).json()
    assert told["slug"] == path.partition("/")[2]
    assert told["title"]


def test_the_summary_has_no_grand_total(public):
    told = public.get("summary").json()
    assert told["count"] == len(told["items"])
    keys = {
        (item["domain"], item["side"], item["nature"], item["currency"], item["stage"])
        for item in told["items"]
    }
    assert len(keys) == told["count"] > 0
    assert set(told) == {"version", "changed_at", "count", "items"}


@pytest.mark.parametrize("kind", engine.KINDS)
def test_an_export_is_a_file_of_the_format(public, kind):
    answer = public.get(f"export/{kind}")
    content = b"".join(answer.streaming_content)
    items = engine.parse(kind, content, name="export")
    assert items == list(door.export(kind))


def test_a_public_answer_has_an_etag_until_the_facts_change(public):
    first = public.get("commitments")
    again = public.get("commitments", **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")

    door.edit_commitment(
        author=None, reason="r", commitment="s1-c01", version=None, title_en="Other"
    )
    changed = public.get("commitments", **{"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("commitments?limit=0", 422, "limit"),
        ("commitments?limit=201", 422, "limit"),
        ("commitments?limit=ten", 422, "limit"),
        ("commitments?limit=99999999999999999999", 422, "limit"),
        ("commitments?offset=-1", 422, "offset"),
        ("commitments?offset=1000001", 422, "offset"),
        ("commitments?domain=magic", 422, "quantum"),
        ("commitments?party=XX", 422, "US"),
        ("commitments?source=nowhere", 422, "nowhere"),
        ("commitments?sort=best", 422, "recent"),
        ("commitments?finding=maybe", 422, "none"),
        ("commitments?colour=red", 422, "colour"),
        ("findings?severity=extreme", 422, "high"),
        ("organisations?country=XX", 422, "XX"),
        ("commitments?q=%00", 422, "q"),
        ("commitments?q=" + "a" * 201, 422, "q"),
        ("commitments?source=%00", 422, "source"),
        ("changes?slug=%00", 422, "slug"),
        ("commitments/nothing", 404, "nothing"),
        ("commitments/..", 404, ""),
        ("commitments/%2e%2e%2fetc%2fpasswd", 404, ""),
        ("commitments/%00", 400, "NUL"),
        ("commitments/%FF", 404, ""),
        ("commitments/日本", 404, ""),
        ("export/secrets", 404, "findings"),
        ("export/../../node.toml", 404, ""),
        ("nothing", 404, ""),
    ],
)
def test_bad_questions_are_refused_with_what_would_be_right(public, path, status, word):
    said = refused(public.get(path), status)
    assert word in json.dumps(said, ensure_ascii=False)


@pytest.mark.parametrize("method", ["put", "post", "patch", "delete"])
def test_a_method_that_is_not_offered_is_said(public, method):
    answer = getattr(public.browser, method)(f"{ROOT}/summary")
    refused(answer, 405, "renkei.method")
    assert answer["Allow"] == "GET"


# Writing

CLAIM = {
    "reason": "minutes of the meeting",
    "field": "amount",
    "value": "130",
    "source": "s1",
    "passages": [{"start": 10, "end": 20}],
    "money": {"currency": "USD", "side": "US", "nature": "public", "stage": "announced"},
}
COMMITMENT = {
    "reason": "minutes of the meeting",
    "title_en": "Joint cryogenics",
    "title_ja": "共同極低温研究",
    "source": "s1",
    "domain": "quantum",
    "kind": "research_partnership",
    "status": "signed",
    "parties": "US,JP",
}
PAID = {
    "reason": "order 7",
    "value": "12.50",
    "currency": "USD",
    "side": "US",
    "nature": "public",
    "paid_on": "2025-02-03",
}
MILESTONE = {"reason": "plan", "title_en": "First light", "title_ja": "初観測", "due": "2026-03"}
OUTCOME = {
    "reason": "published",
    "kind": "publication",
    "title_en": "Paper",
    "title_ja": "論文",
    "identifier": "10.1000/182",
}
FINDING = {
    "reason": "seen",
    "kind": "amount_conflict",
    "severity": "high",
    "detectable": "internal",
    "title_en": "Two sums",
    "title_ja": "二つの金額",
    "commitments": ["s1-c01"],
    "sides": [{"source": "s1", "start": 1, "end": 5, "says_en": "ten", "says_ja": "十"}],
}
DECISION = {"reason": "asked", "decision_en": "Ten holds.", "decision_ja": "十が正しい。"}
ORGANISATION = {"reason": "new", "title_en": "IoE", "title_ja": "例示研", "kind": "company"}
ROLE = {"reason": "minutes", "organisation": "uw", "role": "backer"}


def writes():
    """Return every write with a body that would be accepted."""
    milestone = Milestone.objects.first().slug
    claim = Claim.objects.filter(commitment__slug="s1-c02").first().pk
    return [
        ("post", "commitments", COMMITMENT),
        ("patch", "commitments/s1-c02", {"reason": "typo", "title_en": "New title"}),
        ("post", "commitments/s1-c02/claims", CLAIM),
        ("post", f"commitments/s1-c02/claims/{claim}/publish", {"reason": "better"}),
        ("post", "commitments/s1-c02/milestones", MILESTONE),
        ("post", f"milestones/{milestone}/assessment", {"reason": "late", "state": "missed"}),
        ("post", "commitments/s1-c02/disbursements", PAID),
        ("post", "commitments/s1-c02/outcomes", OUTCOME),
        ("post", "commitments/s1-c02/participations", ROLE),
        ("post", "organisations", ORGANISATION),
        ("post", "findings", FINDING),
        ("post", "findings/x01/decision", DECISION),
    ]


def test_every_write_does_its_work_and_leaves_history(program, officer):
    for method, path, body in writes():
        lines = Change.objects.count()
        answer = program.send(path, body, method=method)
        assert answer.status_code in {200, 201}, (path, answer.content)
        line = Change.objects.latest("pk")
        assert Change.objects.count() > lines
        assert (line.author, line.reason) == (officer, body["reason"])
    assert program.delete("findings/x01/decision?reason=again").json()["state"] == "open"
    assert door.check() == []


def test_roles_outcomes_and_organisations_are_changed_and_removed(program, public):
    part = program.send("commitments/s1-c02/participations", ROLE).json()
    one = f"commitments/s1-c02/participations/{part['id']}"
    assert program.send(one, {**ROLE, "role": "lead"}, method="put").json() == {
        **part,
        "role": "lead",
    }
    outcome = program.send("commitments/s1-c02/outcomes", OUTCOME).json()
    two = f"commitments/s1-c02/outcomes/{outcome['id']}"
    changed = program.send(two, {**OUTCOME, "title_en": "Better"}, method="put").json()
    assert changed == {**outcome, "title": "Better"}
    body = program.send("organisations", ORGANISATION).json()
    three = f"organisations/{body['slug']}"
    renamed = program.send(three, {**ORGANISATION, "title_en": "Other", "version": 1}, method="put")
    assert (renamed.json()["title"], renamed.json()["version"]) == ("Other", 2)
    stale = program.send(three, {**ORGANISATION, "version": 1}, method="put")
    refused(stale, 409, "record.stale")

    refused(program.delete("organisations/uw?reason=gone"), 409, "record.in_use")
    for address in (one, two, three):
        refused(program.delete(address), 422)  # no reason
        refused(program.delete(f"{address}?reason=r&why=x"), 422, "record.bad_selection")
        refused(program.delete(f"{address}?reason=r&version=99"), 409, "record.stale")
        refused(public.delete(f"{address}?reason=r"), 401)
        gone = program.delete(f"{address}?reason=a slip")
        assert (gone.status_code, gone.content) == (204, b"")
        refused(program.delete(f"{address}?reason=again"), 404, "record.unknown")
    verbs = [line["verb"] for line in public.get("changes?limit=3").json()["items"]]
    assert verbs == ["remove", "remove outcome", "remove role"]
    assert door.check() == []


def test_nobody_else_may_write(shipped, person, public):
    others = [
        Program(ApiToken.issue(user=person(role), name="t"))
        for role in ("board", "researcher", "analyst", "operator")
    ]
    elsewhere = Program(ApiToken.issue(user=person("officer", party="JP"), name="t"))
    version = State.objects.get().version
    for method, path, body in writes():
        refused(public.send(path, body, method=method), 401, "renkei.sign_in")
        for other in [*others, elsewhere]:
            refused(other.send(path, body, method=method), 403, "renkei.forbidden")
    refused(Program("rk_wrong").get("commitments"), 401)
    assert State.objects.get().version == version


def test_a_session_writes_only_with_its_csrf_token(shipped, officer):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(officer)
    path = f"{ROOT}/organisations"
    answer = browser.post(path, json.dumps(ORGANISATION), content_type="application/json")
    refused(answer, 403)

    browser.get("/en/record/add/organisation/")
    token = browser.cookies["renkei_us_csrf"].value
    answer = browser.post(
        path,
        json.dumps(ORGANISATION),
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert answer.status_code == 201


def test_a_stale_version_is_refused_and_changes_nothing(program):
    for method, path, body in writes():
        if path in {"commitments", "organisations", "findings"}:
            continue
        before = State.objects.get().version
        said = refused(
            program.send(path, {**body, "version": 99}, method=method), 409, "record.stale"
        )
        assert "99" in said["detail"]
        assert State.objects.get().version == before
    door.resolve_finding(author=None, reason="r", finding="x02", decision_en="a", decision_ja="あ")
    refused(program.delete("findings/x02/decision?reason=r&version=1"), 409, "record.stale")


def test_a_disbursement_is_corrected_once(program):
    first = program.send("commitments/s1-c02/disbursements", PAID).json()
    fixed = program.send(
        "commitments/s1-c02/disbursements", {**PAID, "value": "13", "corrects": first["id"]}
    ).json()
    assert (fixed["corrects"], fixed["value"]) == (first["id"], "13")
    told = program.get("commitments/s1-c02").json()["disbursements"]
    assert [(row["value"], row["is_current"]) for row in told] == [("12.50", False), ("13", True)]
    refused(
        program.send("commitments/s1-c02/disbursements", {**PAID, "corrects": first["id"]}), 404
    )
    assert door.check() == []


NO_TEXTS = ["a\x00b", "\ud800", "\x1b[0m", 5, None, ["x"], {"a": 1}, True]


@pytest.mark.parametrize("bad", NO_TEXTS, ids=repr)
def test_what_is_no_text_is_refused_wherever_a_text_is_wanted(program, bad):
    version = State.objects.get().version
    for method, path, body in writes():
        for name, value in body.items():
            if not isinstance(value, str) or (method == "patch" and bad is None):
                continue
            content = json.dumps({**body, name: bad}).encode()
            refused(program.send(path, content, method=method), 422)
    assert State.objects.get().version == version


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("commitments/s1-c02/claims", {"value": "-1"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "ten"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "NaN"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "Infinity"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "1e5"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "１２"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "9" * 40}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"value": "0.001"}, "record.bad_amount"),
        ("commitments/s1-c02/claims", {"field": "colour"}, "record.unknown_field"),
        ("commitments/s1-c02/claims", {"field": "amount:JP"}, "record.bad_claim"),
        ("commitments/s1-c02/claims", {"money": None}, "record.bad_claim"),
        ("commitments/s1-c02/claims", {"source": "s9"}, "record.unknown"),
        ("commitments/s1-c02/claims", {"qualifier": "roughly"}, "record.bad_claim"),
        ("commitments/s1-c02/claims", {"seen_on": "2025-02-30"}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"seen_on": 5}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"seen_on": "2999-01-01"}, "record.bad_date"),
        ("commitments/s1-c02/claims", {"seen_on": "0001-01-01"}, "record.bad_date"),
        (
            "commitments/s1-c02/claims",
            {"passages": [{"start": 0, "end": 2**31 - 1}]},
            "record.bad_claim",
        ),
        ("commitments/s1-c02/claims", {"passages": [{"start": 9, "end": 9}]}, "record.bad_claim"),
        ("commitments/s1-c02/claims", {"passages": [{"start": -1, "end": 9}]}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"passages": [{"start": 1.5, "end": 9}]}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"passages": [{"start": 0, "end": 2**70}]}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"colour": "red"}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"version": -1}, "renkei.invalid"),
        ("commitments/s1-c02/claims", {"version": True}, "renkei.invalid"),
        ("commitments/s1-c02/disbursements", {"paid_on": "2999-01-01"}, "record.bad_date"),
        ("commitments/s1-c02/disbursements", {"currency": "XXX"}, "record.unknown_currency"),
        ("commitments/s1-c02/disbursements", {"side": "Mars"}, "record.unknown_side"),
        ("commitments/s1-c02/disbursements", {"nature": "magic"}, "record.bad_claim"),
        ("commitments/s1-c02/disbursements", {"recipient": "nobody"}, "record.unknown"),
        ("commitments/s1-c02/disbursements", {"corrects": 2**63}, "renkei.invalid"),
        ("commitments/s1-c02/disbursements", {"corrects": 2**63 - 1}, "record.unknown"),
        ("commitments/s1-c02/milestones", {"due": "2026-13"}, "record.bad_date"),
        ("commitments/s1-c02/milestones", {"due": "soon"}, "record.bad_date"),
        ("commitments/s1-c02/milestones", {"title_ja": " "}, "record.missing_translation"),
        ("commitments/s1-c02/milestones", {"passage": {"start": 1, "end": 2}}, "record.bad_claim"),
        ("commitments/s1-c02/outcomes", {"identifier": "my paper"}, "record.bad_claim"),
        ("commitments/s1-c02/outcomes", {"address": "javascript:alert(1)"}, "renkei.invalid"),
        ("commitments/s1-c02/participations", {"role": "king"}, "record.bad_claim"),
        ("commitments", {"parties": "US,Mars"}, "record.unknown_party"),
        ("commitments", {"slug": "../x"}, "record.bad_claim"),
        ("commitments", {"slug": "s1-c01"}, "record.taken"),
        ("commitments", {"title_ja": ""}, "renkei.invalid"),
        ("commitments", {"reason": "  "}, "record.bad_claim"),
        ("commitments", {"part_of": "nothing"}, "record.unknown"),
        ("findings", {"commitments": ["nothing"]}, "record.unknown"),
        (
            "findings",
            {"sides": [{**FINDING["sides"][0], "end": 10**8}]},
            "record.bad_claim",
        ),
        ("organisations", {"country": "XX"}, "record.unknown_party"),
        ("organisations", {"aliases": ["ok", "\x00"]}, "renkei.invalid"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_half_done(program, path, body, code):
    good = {path: body for _method, path, body in writes()}[path]
    before = (State.objects.get().version, Change.objects.count(), Claim.objects.count())

    answer = program.send(path, {**good, **body})

    assert answer.status_code in {404, 409, 422}
    refused(answer, answer.status_code, code)
    assert (State.objects.get().version, Change.objects.count(), Claim.objects.count()) == before


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"\xff\xfe{}", "application/json", 400),
        (b'{"reason": "x"', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[" + b"1" * 5_000 + b"]", "application/json", 400),
        (b'{"reason": NaN}', "application/json", 400),
        (b'{"\\ud800": 1}', "application/json", 422),
        (b"null", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"reason": "x"}', "text/plain", 415),
        (b'{"reason": "x"}', "application/xml", 415),
        (b" " * (5 << 20), "application/json", 413),
    ],
)
def test_bodies_that_are_none_are_refused(program, content, kind, status):
    refused(program.send("commitments", content, kind=kind), status)


def test_refusals_speak_the_readers_language(public):
    japanese = public.get("commitments?limit=0&lang=ja")
    assert japanese["Content-Language"] == "ja"
    assert refused(japanese, 422)["fields"]["limit"] == ["1 以上で指定してください"]


SOURCE = {
    "reason": "new",
    "title_en": "Minutes",
    "title_ja": "議事録",
    "reliability": "primary",
    "reliability_reason_en": "Signed.",
    "reliability_reason_ja": "署名済み。",
}


def file(content):
    return SimpleUploadedFile("d.txt", content)


def test_a_source_is_added_and_a_document_attached(program):
    added = program.upload("sources", content=file("本文".encode()), **SOURCE)
    assert added.status_code == 201
    told = added.json()
    assert (told["size"], told["characters"], told["is_attached"]) == (6, 2, True)
    refused(program.upload("sources", content=file("本文".encode()), **SOURCE), 409, "record.taken")

    Source.objects.filter(slug="s2").update(sha256=engine.digest(b"known text"))
    again = program.upload("sources/attachments", content=file(b"known text"), reason="here")
    assert (again.status_code, again.json()["slug"]) == (200, "s2")
    wrong = program.upload("sources/attachments", content=file(b"other text"), reason="here")
    assert Source.objects.get(slug="s1").sha256[:16] in refused(wrong, 422)["detail"]
    refused(
        program.upload(
            "sources/attachments", content=file(b"known text"), reason="here", source="s1"
        ),
        422,
        "record.unknown_document",
    )


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"", {}),
        (b"\xff\xfe", {}),
        (b"a\x00b", {}),
        (b"text", {"colour": "red"}),
        (b"text", {"title_ja": ""}),
        (b"text", {"language": "a\x01"}),
        (b"text", {"address": "no address"}),
        (b"text", {"doi": "12"}),
        (b"text", {"published": "2025-13"}),
        (b"text", {"same_evidence_as": "s9"}),
        (b"text", {"reliability": "perfect"}),
    ],
)
def test_bad_sources_are_refused(program, content, fields):
    before = Source.objects.count()
    answer = program.upload("sources", content=file(content), **{**SOURCE, **fields})
    assert answer.status_code in {404, 422}
    refused(answer, answer.status_code)
    assert Source.objects.count() == before


def test_a_multipart_body_without_parts_is_refused(program):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json"):
        answer = program.send("sources", b"garbage", kind=kind)
        assert answer.status_code in {400, 422}
        refused(answer, answer.status_code)


def test_sums_beyond_what_a_column_holds_are_refused(program):
    """92 payments of the largest amount would overflow 64 bits."""
    largest = {**PAID, "value": str(engine.from_minor(10**17, "USD"))}
    answers = [program.send("commitments/s1-c02/disbursements", largest) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [422]
    assert door.check() == []


def test_a_finding_keeps_its_passages(program):
    slug = program.send("findings", FINDING).json()["slug"]
    told = program.get(f"findings/{slug}").json()
    assert told["sides"] == [{"source": "s1", "start": 1, "end": 5, "says": "ten"}]
    assert told["commitments"] == ["s1-c01"]
    assert Finding.objects.get(slug=slug).sides.count() == 1


def test_a_delivered_milestone_needs_its_assessment(program):
    slug = program.send("commitments/s1-c02/milestones", MILESTONE).json()["slug"]
    path = f"milestones/{slug}/assessment"
    refused(program.send(path, {"reason": "done", "state": "delivered"}), 422)
    whole = {
        "reason": "done",
        "state": "delivered",
        "evidence": "report",
        "assessor": "Board",
        "assessed_on": date(2026, 1, 5).isoformat(),
    }
    assert program.send(path, whole).json()["state"] == "delivered"


@pytest.mark.parametrize(
    "address",
    ["commitments?domain=quantum", "findings/x1", "export/finding", "commitments/nothing"],
)
def test_head_answers_as_get_without_the_body(public, address):
    client = public.browser
    got, head = (getattr(client, verb)(f"{ROOT}/{address}") for verb in ("get", "head"))
    assert head.status_code == got.status_code
    assert head.headers.get("ETag") == got.headers.get("ETag")
    assert head["Content-Type"] == got["Content-Type"]
    assert b"".join(head) == b""
    if not got.streaming:
        assert int(head["Content-Length"]) == len(got.content) > 0


def test_head_is_no_way_around_a_method(public):
    assert public.browser.head(f"{ROOT}/commitments/nothing/claims").status_code == 405
