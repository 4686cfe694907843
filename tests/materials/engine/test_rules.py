"""Eligibility as dated data: as of a day, hypothetically, clause by clause."""

from datetime import date

import pytest

from renkei.materials import engine

VEHICLE = "clean_vehicle_credit"
FINE = {
    "critical_mineral_value": {"AUS": 70.0, "CHN": 30.0},
    "component_share": 0.65,
    "component_entities": ["USA", "JPN"],
    "mineral_entities": ["AUS"],
}


def judge(day, facts=FINE, **options):
    return engine.judge(
        engine.SHIPPED_RULES, facts, programme=VEHICLE, as_of=date.fromisoformat(day), **options
    )


@pytest.mark.parametrize(
    ("day", "least"),
    [("2023-06-01", 0.4), ("2024-06-01", 0.5), ("2025-06-01", 0.6), ("2025-09-30", 0.6)],
)
def test_the_share_rises_ten_points_a_year(day, least):
    found = judge(day)
    share = next(one for one in found.findings if one.rule.startswith("critical minerals"))

    assert share.required == least
    assert share.measured == pytest.approx(0.7)
    assert found.verdict == "yes"
    assert not found.is_hypothetical


@pytest.mark.parametrize(
    ("day", "least"), [("2026-05-01", 0.7), ("2027-01-01", 0.8), ("2031-01-01", 0.8)]
)
def test_what_the_law_would_have_asked(day, least):
    """Ended 30 September 2025; as enacted 70 % in 2026, 80 % from 2027."""
    ended = judge(day)
    assert ended.verdict == "not_in_force"
    assert ended.ended_on == date(2025, 9, 30)
    assert "119-21" in ended.ended_by

    imagined = judge(day, hypothetical=True)
    share = next(one for one in imagined.findings if one.rule.startswith("critical minerals"))
    assert imagined.is_hypothetical
    assert share.required == least
    assert share.passed is (least <= 0.7)


def test_the_credit_ends_overnight():
    assert judge("2025-09-30").verdict == "yes"
    assert judge("2025-10-01").verdict == "not_in_force"


def test_japan_counts_from_the_day_of_the_agreement():
    """In force 28 March 2023, for five minerals."""
    facts = FINE | {"critical_mineral_value": {"JPN": 100.0}}
    share = "critical minerals 2023"

    after = judge("2023-06-01", facts, mineral="cobalt")
    assert next(one for one in after.findings if one.rule == share).passed
    other = judge("2023-06-01", facts, mineral="gallium")
    assert next(one for one in other.findings if one.rule == share).passed is False
    held = [rule for rule in engine.SHIPPED_RULES if rule.programme.startswith("us_japan")]
    assert not held[0].holds_on(date(2023, 3, 27))
    assert held[0].holds_on(date(2023, 3, 28))


def test_foreign_entities_bar_components_from_2024_and_minerals_from_2025():
    barred = FINE | {"component_entities": ["USA", "CHN"], "mineral_entities": ["CHN"]}

    assert judge("2023-12-31", barred).verdict == "yes"
    assert [one.detail for one in judge("2024-01-01", barred).findings if one.passed is False] == [
        ("CHN",)
    ]
    assert sum(one.passed is False for one in judge("2025-01-01", barred).findings) == 2


def test_a_missing_fact_is_named_and_not_guessed():
    found = judge("2024-06-01", {"component_share": 0.7, "component_entities": []})

    assert found.verdict == "unknown"
    assert [one.missing for one in found.findings if one.passed is None] == [
        ("critical_mineral_value",)
    ]
    assert all(one.clause.startswith("26 U.S.C. 30D") for one in found.findings)


def test_battery_passport_fields():
    rules = engine.SHIPPED_RULES
    day = date(2027, 2, 18)
    full = {"passport": dict.fromkeys(engine.BATTERY_PASSPORT_FIELDS, "x")}
    assert engine.judge(rules, full, programme="battery_passport", as_of=day).verdict == "yes"
    short = {"passport": [name for name in engine.BATTERY_PASSPORT_FIELDS if name != "chemistry"]}
    found = engine.judge(rules, short, programme="battery_passport", as_of=day)
    assert found.verdict == "no"
    assert found.findings[0].detail == ("chemistry",)
    early = engine.judge(rules, full, programme="battery_passport", as_of=date(2026, 1, 1))
    assert early.verdict == "not_in_force"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"critical_mineral_value": {"AUS": -1.0}}, "AUS has -1"),
        ({"critical_mineral_value": 0.7}, "an amount by country"),
        ({"component_share": "most"}, "expected a number"),
        ({"component_share": float("nan")}, "expected a number"),
        ({"component_entities": "CHN"}, "a list of names"),
    ],
)
def test_a_fact_of_the_wrong_kind_is_refused(facts, says):
    with pytest.raises(engine.BadFactError, match=says):
        judge("2024-06-01", FINE | facts)


def test_a_bad_rule_is_named():
    rule = engine.Rule("r", "p", "at_least", "§ 1", since=date(2024, 1, 1), until=date(2023, 1, 1))
    with pytest.raises(engine.BadRuleError, match="row 0: r ends 2023-01-01"):
        engine.judge([rule], {}, programme="p", as_of=date(2024, 1, 1))
    with pytest.raises(engine.BadRuleError, match="no rules of the programme q"):
        engine.judge([], {}, programme="q", as_of=date(2024, 1, 1))
