"""Money of the record: exact amounts, and which of them may be added.

An amount is kept in minor units of its currency (cents, yen) as an integer, so that ten million
of them add up exactly. Sums are made only within one nature, one currency and one stage, over
records that are counted; there is no grand total.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.record.engine._places import COUNTRIES

_DEFAULT_EXPONENT = 2
_EXPONENT: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
CURRENCIES: Final = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "ANG",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BGN",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "FKP",
        "GBP",
        "GEL",
        "GHS",
        "GIP",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KPW",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LSL",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SHP",
        "SLE",
        "SOS",
        "SRD",
        "SSP",
        "STN",
        "SVC",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
        "ZWG",
    ]
)
"""Active codes of ISO 4217 that name money (funds, metals and test codes are left out)."""

LARGEST_MINOR = 10**17  # a thousand trillion dollars: above is a slip of the pen
_AMOUNT = re.compile(r"\d{1,18}(?:\.\d{1,3})?", re.ASCII)


class BadAmountError(RenkeiError):
    """This is not an amount of money that the record can hold."""

    code = "record.bad_amount"


class UnknownCurrencyError(RenkeiError):
    """The currency is not an active code of ISO 4217."""

    code = "record.unknown_currency"


class UnknownSideError(RenkeiError):
    """The side is neither a party nor one of the words for several."""

    code = "record.unknown_side"


def exponent(currency: str) -> int:
    """Return how many decimals the minor unit of ``currency`` has (ISO 4217, table A.1).

    Raises:
        UnknownCurrencyError: not an active currency code.
    """
    if currency not in CURRENCIES:
        raise UnknownCurrencyError(
            gettext_noop(
                "{currency!r} is not a currency: expected an ISO 4217 code such as USD or JPY"
            ),
            currency=currency,
        )
    return _EXPONENT.get(currency, _DEFAULT_EXPONENT)


def to_minor(text: str, currency: str) -> int:
    """Return a decimal text such as ``110000000`` or ``0.50`` in minor units.

    Raises:
        BadAmountError: not a plain non-negative decimal, more decimals than the currency has, or
            larger than any programme.
        UnknownCurrencyError: not an active currency code.
    """
    places = exponent(currency)
    if not _AMOUNT.fullmatch(text):
        raise BadAmountError(
            gettext_noop("{text!r} is not an amount: expected digits such as 110000000 or 0.50"),
            text=text,
        )
    minor = Decimal(text).scaleb(places)
    if minor != minor.to_integral_value():
        raise BadAmountError(
            gettext_noop("{text!r}: {currency} has {places} decimals"),
            text=text,
            currency=currency,
            places=places,
        )
    if minor > LARGEST_MINOR:
        raise BadAmountError(gettext_noop("{text!r} is larger than any programme"), text=text)
    return int(minor)


def from_minor(minor: int, currency: str) -> Decimal:
    """Return minor units as a decimal number of the currency, without trailing zeros."""
    value = Decimal(minor).scaleb(-exponent(currency))
    whole = value.to_integral_value()
    return whole if value == whole else value


SIDES_OF_SEVERAL: Final = ("joint", "other")


def side(text: str) -> str:
    """Check who pays: a country, ``joint`` (several, split not stated) or ``other``.

    Raises:
        UnknownSideError: neither.
    """
    if text in SIDES_OF_SEVERAL or text in COUNTRIES:
        return text
    raise UnknownSideError(
        gettext_noop(
            "{text!r} is not a side: expected a country code such as US, or joint, or other"
        ),
        text=text,
    )


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A published amount as the sums see it; ``minor`` is in minor units of ``currency``."""

    side: str
    nature: str
    currency: str
    stage: str
    relation: str
    minor: int


Key = tuple[str, str, str, str]  # side, nature, currency, stage


def contributions(total: Sum | None, parts: Iterable[Sum]) -> Counter[Key]:
    """Return what one counted record adds to the totals, in minor units.

    Where amounts by side add up to the total they stand for it, so that each side's share is
    seen; else the total stands alone, and parts that do not add up are not summed. Only a
    ``total`` is added: a part is inside another record, the same is counted there, and an unknown
    relation might be either.
    """
    split = list(parts)
    added: Counter[Key] = Counter()
    if total is None:
        chosen = [item for item in split if item.relation == "total"]
    elif total.relation != "total":
        chosen = []
    elif split and _adds_up(total, split):
        chosen = split
    else:
        chosen = [total]
    for item in chosen:
        added[item.side, item.nature, item.currency, item.stage] += item.minor
    return added


def _adds_up(total: Sum, parts: list[Sum]) -> bool:
    alike = all(
        (part.currency, part.nature, part.stage) == (total.currency, total.nature, total.stage)
        for part in parts
    )
    return alike and sum(part.minor for part in parts) == total.minor
