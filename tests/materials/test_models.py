"""What the database itself refuses."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from renkei.materials.models import (
    Component,
    Flow,
    Link,
    Material,
    Observation,
    Organisation,
    Product,
    Release,
    Scenario,
    Stock,
    check_lei,
)

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)


@pytest.fixture
def material():
    return Material.objects.create(slug="gallium", name_en="Gallium", name_ja="ガリウム")


@pytest.fixture
def release():
    return Release.objects.create(slug="r", publisher="usgs", title="R", licence="x", known_on=DAY)


def refused(make):
    with pytest.raises(IntegrityError), transaction.atomic():
        make()


def observation(material, release, **changes):
    values = {
        "key": "k",
        "material": material,
        "subject": "production",
        "place": "CHN",
        "raw": "5",
        "quantity": 5.0,
        "unit": "kilograms",
        "valid_from": DAY,
        "valid_to": DAY,
        "known_from": DAY,
        "release": release,
    }
    return Observation.objects.create(**values | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"qualifier": "W"},  # withheld, and yet a number
        {"qualifier": "NA"},
        {"quantity": -1.0},
        {"known_to": DAY},
        {"valid_to": date(2025, 1, 1)},
    ],
)
def test_an_observation_that_cannot_be(material, release, changes):
    refused(lambda: observation(material, release, **changes))


def test_one_cell_is_known_once_at_a_time(material, release):
    first = observation(material, release)
    refused(lambda: observation(material, release, raw="6"))
    first.known_to = date(2026, 2, 1)
    first.save()
    observation(material, release, raw="6", known_from=date(2026, 2, 1))
    assert [row.raw for row in Observation.objects.as_known(date(2026, 1, 15))] == ["5"]
    assert [row.raw for row in Observation.objects.current()] == ["6"]


def test_flows_stocks_and_links(material, release):
    times = {"valid_from": DAY, "valid_to": DAY, "known_from": DAY, "release": release}
    refused(
        lambda: Flow.objects.create(code="284690", exporter="CHN", importer="JPN", kusd=-1, **times)
    )
    held = {
        "valid_from": DAY,
        "known_from": DAY,
        "source": "s",
        "kind": "government",
        "owner": "JPN",
    }
    refused(lambda: Stock.objects.create(material=material, low_tonnes=5, high_tonnes=4, **held))
    one = Organisation.objects.create(name="a")
    link = {
        "material": material,
        "evidence": "e",
        "confidence": "low",
        "valid_from": DAY,
        "known_from": DAY,
    }
    refused(lambda: Link.objects.create(supplier=one, buyer=one, **link))


def test_a_line_of_a_bill_names_one_thing(material):
    product = Product.objects.create(slug="p", name_en="P", name_ja="P")
    refused(lambda: Component.objects.create(product=product, source="s"))
    refused(lambda: Component.objects.create(product=product, part=product, source="s"))
    Component.objects.create(product=product, material=material, source="s")
    refused(lambda: Component.objects.create(product=product, material=material, source="s"))


def test_a_scenario_loses_something():
    refused(
        lambda: Scenario.objects.create(
            slug="s", title="t", kind="export_ban", starts_on=DAY, severity=0
        )
    )
    Scenario.objects.create(slug="s", title="t", kind="price_shock", starts_on=DAY, severity=2)
    refused(
        lambda: Scenario.objects.create(
            slug="u", title="t", kind="export_ban", starts_on=DAY, severity=2
        )
    )


def test_lei():
    check_lei("HWUPKR0MPOU8FGXBT394")
    for wrong in ("HWUPKR0MPOU8FGXBT395", "HWUPKR0MPOU8FGXBT39", "", "hwupkr0mpou8fgxbt394"):
        with pytest.raises(ValidationError):
            check_lei(wrong)
    refused(lambda: Organisation.objects.create(name="a", lei="short"))
