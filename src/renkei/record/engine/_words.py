"""How amounts, dates and periods are said in English and Japanese.

Every function takes ``language``, ``en`` or ``ja``; what is said never is more exact than what is
known, and what was rounded says so.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from renkei.record.engine._dates import partial_date
from renkei.record.engine._money import exponent, from_minor

_BEFORE: Final[Mapping[str, str]] = {
    "USD": "US$", "JPY": "¥", "EUR": "€", "GBP": "£", "KRW": "₩", "AUD": "A$", "CAD": "C$"
}  # fmt: skip
_AFTER: Final[Mapping[str, str]] = {
    "USD": "米ドル", "JPY": "円", "EUR": "ユーロ", "GBP": "英ポンド", "KRW": "ウォン",
    "AUD": "豪ドル", "CAD": "カナダドル", "CNY": "人民元", "INR": "インドルピー", "CHF": "スイスフラン",
}  # fmt: skip
_ENGLISH_UNITS = ((10**12, "trillion"), (10**9, "bn"), (10**6, "million"))
_JAPANESE_UNITS = ((10**12, "兆"), (10**8, "億"), (10**4, "万"))
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DURATION = re.compile(r"(R/)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?", re.ASCII)


def number(value: Decimal | int) -> str:
    """Return a number with separators of thousands, as both languages write it."""
    return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,d}"


def currency_name(currency: str, language: str) -> str:
    """Return what stands beside an amount: ``US$`` or ``米ドル``; the code where there is no sign."""
    names = _AFTER if language == "ja" else _BEFORE
    return names.get(currency, currency)


def money_exact(minor: int, currency: str, language: str) -> str:
    """Return an amount with all its digits: ``US$30,000,000,000``, ``30,000,000,000米ドル``."""
    value = from_minor(minor, currency)
    if value != value.to_integral_value():
        value = value.quantize(Decimal(1).scaleb(-exponent(currency)))
    return _with_currency(number(value), currency, language)


def amount(value: int, language: str) -> str:
    """Return a number of units of any currency in words: ``1 bn``, ``10億``."""
    return _japanese(Decimal(value), None) if language == "ja" else _english(Decimal(value), None)


def money(minor: int, currency: str, language: str, *, decimals: int | None = None) -> str:
    """Return an amount in the words that people use for it: ``US$1.5 bn``, ``15億米ドル``.

    Args:
        minor: in minor units of ``currency``, at least 0.
        currency: an active code of ISO 4217.
        language: ``en`` or ``ja``.
        decimals: round to so many decimals of the unit; without it nothing is rounded.
    """
    value = from_minor(minor, currency)
    said = _japanese(value, decimals) if language == "ja" else _english(value, decimals)
    return _with_currency(said, currency, language)


def _with_currency(said: str, currency: str, language: str) -> str:
    name = currency_name(currency, language)
    if language == "ja":
        return f"{said}{name}" if currency in _AFTER else f"{said} {name}"
    return f"{name}{said}" if currency in _BEFORE else f"{name} {said}"


def _english(value: Decimal, decimals: int | None) -> str:
    for size, word in _ENGLISH_UNITS:
        if size == 10**12 and value < 10 * size:
            continue  # 1,095.6 bn is read more easily beside other billions
        scaled = value / size
        if value >= size and (decimals is not None or scaled == round(scaled, 3)):
            return f"{number(_rounded(scaled, 3 if decimals is None else decimals))} {word}"
    return number(value if value == value.to_integral_value() else value.quantize(Decimal("0.01")))


def _japanese(value: Decimal, decimals: int | None) -> str:
    """Write 10,956億 as 1兆956億, as Japanese texts do; below 万 the digits stand alone."""
    if decimals is not None and value >= 10**8:
        value = _rounded(value / 10**8, 0) * 10**8
    rest, said = value, ""
    for size, sign in _JAPANESE_UNITS:
        count, rest = divmod(rest, size)
        if count:
            said += f"{number(int(count))}{sign}"
    if not said or rest:
        fraction = rest != rest.to_integral_value()
        said += number(rest.quantize(Decimal("0.01")) if fraction else int(rest))
    return said


def _rounded(value: Decimal, decimals: int) -> Decimal:
    cut = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    whole = cut.to_integral_value()
    return whole if cut == whole else Decimal(f"{cut:f}".rstrip("0"))


def date_words(text: str, language: str) -> str:
    """Return a date in words, with the grain it has: ``October 2025``, ``2027年``.

    Raises:
        BadDateError: not a date of the record.
    """
    day = partial_date(text)
    year, month = day.first.year, day.first.month
    if language == "ja":
        said = f"{year}年"
        if day.grain != "year":
            said += f"{month}月"
        return f"{said}{day.first.day}日" if day.grain == "day" else said
    if day.grain == "year":
        return str(year)
    said = f"{_MONTHS[month - 1]} {year}"
    return f"{day.first.day} {said}" if day.grain == "day" else said


def period_words(text: str, language: str) -> str:
    """Return a period in words: ``5 years``, ``every 3 months``, ``2021年から2025年まで``."""
    if match := _DURATION.fullmatch(text):
        repeats = match[1] is not None
        amounts = [int(part) if part else 0 for part in match.groups()[1:]]
        if language == "ja":
            units = ("年", "か月", "日")
            said = "".join(f"{n}{unit}" for n, unit in zip(amounts, units, strict=True) if n)
            return f"{said}ごと" if repeats else f"{said}間"
        units = ("year", "month", "day")
        said = " ".join(
            f"{n} {unit}{'s' if n != 1 else ''}"
            for n, unit in zip(amounts, units, strict=True)
            if n
        )
        return f"every {said.removeprefix('1 ')}" if repeats else said
    first, _, last = text.partition("/")
    if language == "ja":
        return f"{date_words(first, 'ja')}から{date_words(last, 'ja')}まで"
    return f"{date_words(first, 'en')} to {date_words(last, 'en')}"
