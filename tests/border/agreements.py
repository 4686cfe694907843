"""Agreements and requests for tests and benchmarks: one written by hand, and any number at random."""

import copy
import random
from datetime import UTC, datetime, timedelta

from renkei.border import engine

CONCLUDED = datetime(2026, 4, 1, tzinfo=UTC)
PURPOSES = ["disease-research", "teaching", "product", "screening"]
PEOPLE = ["alice@lab.example", "bob@lab.example", "carol@uni.example"]
PARTIES = ["US", "JP", "KR"]
COUNTRIES = ["US", "JP", "KR", "FR"]
OUTPUTS = ["aggregate", "model", "raw"]
TARGETS = ["urn:jp:genome-17", "urn:jp:soil-3"]


def rule(id_, action, *constraints, en="The rule.", ja="この規則。", **more):
    """Return one clause with its texts and their hashes."""
    made = {"@id": id_, "action": action}
    if constraints:
        made["constraint"] = list(constraints)
    made |= more
    made["text"] = {"en": f"{id_}: {en}", "ja": f"{id_}: {ja}"}
    made["textHash"] = {name: engine.text_hash(text) for name, text in made["text"].items()}
    return made


def limit(left, operator, right, **more):
    """Return one constraint."""
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


def agreement(uid="urn:renkei:agreement:genome", **parts):
    """Return a document with everything that an agreement needs."""
    made = {
        "@context": "https://w3id.org/dspace/2025/1/context.jsonld",
        "@type": "Agreement",
        "@id": uid,
        "profile": engine.PROFILE,
        "version": 1,
        "title": {"en": "Genome data for disease research", "ja": "疾患研究のためのゲノムデータ"},
        "assigner": "JP",
        "assignee": "US",
        "target": "urn:jp:genome-17",
        "timestamp": "2026-04-01T00:00:00Z",
    }
    return made | parts


def genome():
    """Return an agreement that uses every operand, operator and kind of clause once or more."""
    return agreement(
        target=["urn:jp:genome-17", "urn:jp:soil-3"],
        assignee=["US", "KR"],
        permission=[
            rule(
                "c1",
                "read",
                limit("purpose", "isAnyOf", ["disease-research", "teaching"]),
                limit("recipient", "isAnyOf", ["alice@lab.example", "bob@lab.example"]),
                limit("dateTime", "lteq", "2027-03-31T00:00:00Z"),
                en="Named researchers may read the data for disease research or teaching until 31 March 2027.",
                ja="指名された研究者は、2027年3月31日まで、疾患研究又は教育のためにデータを閲覧できる。",
                duty=[
                    {
                        "action": "delete",
                        "constraint": [limit("dateTime", "lteq", "2027-06-30T00:00:00Z")],
                    },
                    {
                        "@id": "r1",
                        "action": "report",
                        "constraint": [limit("delayPeriod", "lteq", "P30D")],
                    },
                ],
            ),
            rule(
                "c2",
                "compute",
                limit("recipientParty", "eq", "US"),
                limit("delayPeriod", "gteq", "P30D"),
                {
                    "or": [
                        limit("outputType", "eq", "aggregate"),
                        {
                            "and": [
                                limit("outputType", "eq", "model"),
                                limit("classification", "lt", "restricted"),
                            ]
                        },
                    ]
                },
                en="From the thirtieth day on, the United States may compute aggregates, and models of data below restricted.",
                ja="米国は、30日目以降、集計値、及び「取扱制限」未満のデータのモデルを計算できる。",
            ),
            rule(
                "c3",
                "export",
                limit("count", "lteq", 3),
                limit("spatial", "neq", "FR"),
                limit("classification", "lteq", "internal"),
                en="Three exports, not to France, of data up to internal.",
                ja="「内部」以下のデータを3回まで持ち出せる。ただしフランスを除く。",
            ),
        ],
        prohibition=[
            rule(
                "p1",
                "use",
                limit("purpose", "eq", "product"),
                en="No use for products.",
                ja="製品のための利用を禁ずる。",
            ),
            rule(
                "p2",
                "export",
                limit("spatial", "isNoneOf", ["US", "JP", "KR", "FR"]),
                en="No export to other countries.",
                ja="その他の国への持ち出しを禁ずる。",
            ),
            rule(
                "p3",
                "compute",
                limit("dateTime", "gt", "2027-03-31T00:00:00Z"),
                limit("classification", "gteq", "internal"),
                en="No computing with data from internal upwards after the end.",
                ja="終了後は、「内部」以上のデータの計算を禁ずる。",
            ),
        ],
        obligation=[
            rule(
                "o1",
                "report",
                limit("dateTime", "lteq", "2027-04-30T00:00:00Z"),
                en="A final report by 30 April 2027.",
                ja="2027年4月30日までに最終報告を提出する。",
            )
        ],
    )


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def some_instant(rng):
    return CONCLUDED + timedelta(days=rng.randint(-5, 60), hours=rng.choice([0, 0, 12]))


VALUES = {
    "purpose": lambda rng: rng.choice(PURPOSES),
    "recipient": lambda rng: rng.choice(PEOPLE),
    "recipientParty": lambda rng: rng.choice(PARTIES),
    "spatial": lambda rng: rng.choice(COUNTRIES),
    "outputType": lambda rng: rng.choice(OUTPUTS),
    "classification": lambda rng: rng.choice(engine.CLASSIFICATIONS),
    "count": lambda rng: rng.randint(0, 4),
    "delayPeriod": lambda rng: f"P{rng.randint(0, 60)}D",
    "dateTime": lambda rng: stamp(some_instant(rng)),
}


def random_test(rng):
    """Return a constraint; values come from small pools so that they often meet a request."""
    operand = rng.choice(list(engine.OPERANDS))
    ordered = engine.OPERANDS[operand].is_ordered
    operator = rng.choice([name for name in engine.OPERATORS if ordered or name[0] not in "lg"])

    def value():
        return VALUES[operand](rng)

    right = [value() for _ in range(rng.randint(1, 3))] if operator.startswith("is") else value()
    return limit(operand, operator, right)


def random_constraint(rng, depth=0):
    if depth < 3 and rng.random() < 0.25:
        parts = [random_constraint(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return {rng.choice(["and", "or"]): parts}
    return random_test(rng)


def random_agreement(rng, uid):
    """Return an agreement with one to four permissions and up to two prohibitions."""

    def rules(letter, count):
        return [
            rule(
                f"{letter}{at}",
                rng.choice(engine.ACTIONS),
                *(random_constraint(rng) for _ in range(rng.randint(0, 2))),
            )
            for at in range(count)
        ]

    return agreement(
        uid,
        assignee=rng.sample(PARTIES, rng.randint(1, 2)),
        target=rng.sample(TARGETS, rng.randint(1, 2)),
        permission=rules("c", rng.randint(1, 4)),
        prohibition=rules("p", rng.choice([0, 0, 1, 2])),
    )


def random_policies(rng):
    """Return one to three agreements in force."""
    return [
        engine.parse_agreement(random_agreement(rng, f"urn:renkei:agreement:{at}"))
        for at in range(rng.randint(1, 3))
    ]


def random_request(rng):
    """Return a request in which any fact may be missing."""

    def maybe(pool):
        return rng.choice(pool) if rng.random() < 0.85 else ""

    return engine.Request(
        action=rng.choice(engine.ACTIONS),
        target=rng.choice([*TARGETS, TARGETS[0], "urn:jp:other"]),
        recipient=maybe(PEOPLE),
        recipient_party=maybe(PARTIES),
        purpose=maybe(PURPOSES),
        spatial=maybe(COUNTRIES),
        classification=maybe(list(engine.CLASSIFICATIONS)),
        output_type=maybe(OUTPUTS),
    )


def random_case(seed):
    """Return policies, and a maker of (request, now, uses) that fit them."""
    rng = random.Random(seed)
    agreements = random_policies(rng)
    clauses = [(one.uid, clause.id) for one in agreements for clause in one.clauses]

    def question():
        uses = {name: rng.randint(0, 4) for name in clauses if rng.random() < 0.7}
        return random_request(rng), some_instant(rng), uses

    return agreements, question


def changed(document, path, value):
    """Return a copy of a document with one place set to another value."""
    copied = copy.deepcopy(document)
    *parents, last = path
    at = copied
    for part in parents:
        at = at[part]
    at[last] = value
    return copied
