"""What a person reads of an answer: lines with tabs, words in the reader's language.

Names that a command takes (materials, stages, countries, firms) stay as they are typed.
"""

from collections.abc import Iterator
from typing import Any

from renkei.kit.errors import gettext_noop

Item = dict[str, Any]

# Nothing of Django is imported before a node is entered: these are translated when they are said.
_VERDICTS = {
    "yes": gettext_noop("Eligible"),
    "no": gettext_noop("Not eligible"),
    "unknown": gettext_noop("A fact is missing"),
    "not_in_force": gettext_noop("No clause is in force on that day"),
}
_KINDS = {
    "buy": gettext_noop("Another supplier"),
    "supplier": gettext_noop("Another supplier"),
    "qualify": gettext_noop("New supplier, to be qualified"),
    "release_stock": gettext_noop("Stock release"),
    "stock": gettext_noop("Stock release"),
    "recycle": gettext_noop("Recycling"),
    "substitute": gettext_noop("Substitution"),
    "share": gettext_noop("Sharing between the parties"),
}
_VARIANTS = {
    "": gettext_noop("with everything"),
    "qualify": gettext_noop("without new suppliers"),
    "release_stock": gettext_noop("without stock release"),
    "recycle": gettext_noop("without recycling"),
    "substitute": gettext_noop("without substitution"),
}
_VALUES = {
    "demand": gettext_noop("one more tonne for {place} ({material}) saves {usd} US dollars"),
    "capacity": gettext_noop(
        "one more tonne of capacity of {place} ({material}) saves {usd} US dollars"
    ),
    "stock": gettext_noop("one more tonne of stock of {place} ({material}) saves {usd} US dollars"),
}
_STOCK_ENDS = {
    "no_diversion": gettext_noop("days until the stock ends, no diversion: {days}"),
    "free_diversion": gettext_noop("days until the stock ends, free diversion: {days}"),
    "capped": gettext_noop("days until the stock ends, with caps: {days}"),
}


def say(sentence: str, **values: object) -> str:
    """Return a sentence in the reader's language."""
    from django.utils.translation import gettext

    return gettext(sentence).format(**values)


def figure(value: float) -> str:
    """Return a number with four digits and separators, never as a power of ten."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    said = f"{value:.4g}"
    return said if "e" not in said else f"{value:.6f}"


def days(ends: list[float | None]) -> str:
    """Return days, or one of two that are the same."""
    said = ["∞" if day is None else f"{day:.0f}" for day in ends]
    return "–".join(dict.fromkeys(said))


def material(told: Item) -> Iterator[str]:
    """Yield a material: indices, printed tables, and what is known of the United States alone."""
    yield f"{told['slug']}\t{told['name']}\t{told['symbol']}"
    for risk in told["risks"]:
        low, high = risk["low"] * 10_000, risk["high"] * 10_000
        yield (
            f"{risk['stage']} {risk['year']}\tHHI {low:.0f}–{high:.0f}\t{risk['leader']}"
            f" {risk['leader_share']:.3f}\t{risk['publisher']}"
        )
    for table in told["tables"]:
        yield f"{table['stage']} {table['year']}\t{table['unit']}\t{table['release']}"
        for line in table["rows"]:
            share = "-" if line["share"] is None else f"{line['share']:.3f}"
            yield f"  {line['place']}\t{line['raw']}\t{share}"
    for one in told["reliance"]:
        head = say(gettext_noop("USA net import reliance {year}"), year=one["year"])
        yield f"{head}\t{one['raw']} %\t{one['of']}"
    if told["survival"] is not None:
        views = {
            "shipper": gettext_noop("USA stocks last without {lost}, by shipper"),
            "origin": gettext_noop("USA stocks last without {lost}, by origin"),
        }
        for view, sentence in views.items():
            ends = (told["survival"][view]["low"], told["survival"][view]["high"])
            lasts = "–".join(dict.fromkeys("∞" if end is None else f"{end:.0f}" for end in ends))
            head = say(sentence, lost=told["survival"]["lost"])
            said = say(gettext_noop("{days} days"), days=lasts)
            yield f"{head}\t{said}"


def indices(told: list[Item]) -> Iterator[str]:
    """Yield each index, its inputs, and the printed cells with release and row."""
    for one in told:
        yield (
            f"{one['stage']}\tHHI {one['low'] * 1e4:.0f}–{one['high'] * 1e4:.0f}"
            f"\t{one['leader']} {one['leader_share']:.3f}"
        )
        for line in one["inputs"]:
            yield f"  {line['country']}\t{line['quantity']:g}\t{line['share']:.4f}"
        for cell in one["cells"]:
            yield (
                f"  # {cell['place']}\t{cell['raw']} {cell['unit']}\t{cell['release']} {cell['row']}"
            )


def exposures(opened: list[Item]) -> Iterator[str]:
    """Yield the scores of a country for one material, and who ships."""
    for one in opened:
        geopolitical = "-" if one["geopolitical"] is None else f"{one['geopolitical']:.6f}"
        yield f"{one['code']}\t{one['year']}\t{one['score']:.4f}\tGeoPolRisk {geopolitical}"
        for line in one["shippers"]:
            tonnes = "-" if line["tonnes"] is None else f"{line['tonnes']:g}"
            yield (
                f"  {line['country']}\t{tonnes} t\t{line['share']:.4f}\t{line['instability']:.4f}"
                f"\t{line['release']} {line['row']}"
            )


def eu_scores(told: Item) -> Iterator[str]:
    """Yield the scores of the EU's method, and where each input comes from."""
    for score in (told["supply_risk"], told["economic_importance"]):
        if score is None:
            continue
        ends = f"{score['low']:.3f}–{score['high']:.3f}"
        yield f"{score['name']}\t{told['country']}\t{told['stage']}\t{ends}"
        for one in score["inputs"]:
            whence = told["origins"].get(one["name"]) or say(gettext_noop("stated"))
            yield f"  {one['name']}\t{one['low']:.4f}–{one['high']:.4f}\t{whence}"


def judgement(told: Item) -> Iterator[str]:
    """Yield what the rules say of the facts."""
    ended = f"\t{told['ended_on']} {told['ended_by']}" if told["ended_on"] else ""
    ended += f"\t{told['begins_on']}…" if told["begins_on"] else ""
    imagined = say(gettext_noop("hypothetical"))
    mark = f" ({imagined})" if told["is_hypothetical"] else ""
    yield f"{told['verdict']}: {say(_VERDICTS[told['verdict']])}{mark}\t{told['as_of']}{ended}"
    for one in told["findings"]:
        if one["passed"] is None:
            names = ", ".join(one["missing"])
            answer = say(gettext_noop("missing {names}"), names=names)
        else:
            answer = say(gettext_noop("yes")) if one["passed"] else say(gettext_noop("no"))
        figures = "" if one["measured"] is None else f"\t{one['measured']:g}"
        if figures and one["required"]:  # a bar asks for nothing: its figure is enough
            is_enough = one["measured"] >= one["required"]
            figures += f" {'≥' if is_enough else '<'} {one['required']:g}"
        detail = f"\t{', '.join(one['detail'])}" if one["detail"] else ""
        yield f"  {answer}\t{one['rule']}\t{one['clause']}{figures}{detail}"


def scenario(result: Item) -> Iterator[str]:
    """Yield an answer: bounds and days for each party, products, what was assumed."""
    if "cascade" in result:
        yield from _cascade(result["cascade"])
        return
    for one in result["materials"]:
        yield from _short(one, result["parties"])
    for row in result["products"]:
        yield (
            f"{row['product']}\t{row['party']}\t"
            f"{row['free_diversion']:.3f}–{row['no_diversion']:.3f}\t{row['because']}"
        )
    if result["spared"]:
        yield "# " + say(gettext_noop("nothing is hit: {names}"), names=", ".join(result["spared"]))
    if result["unseen"]:
        names = ", ".join(result["unseen"])
        yield "# " + say(gettext_noop("flows cannot be seen: {names}"), names=names)
    for row in result["unmet"]:
        yield "# " + _unmet(row)
    said = (f"{name} {low:g}–{high:g}" for name, (low, high) in result["elasticities"].items())
    yield "# " + say(gettext_noop("assumed: {what}"), what=", ".join(said))


def _bounds(row: Item) -> tuple[str, str, str]:
    low, high = row["capped"]
    return (
        say(gettext_noop("no diversion {share}"), share=f"{row['no_diversion']:.3f}"),
        say(gettext_noop("free diversion {share}"), share=f"{row['free_diversion']:.3f}"),
        say(gettext_noop("with caps {shares}"), shares=f"{low:.3f}–{high:.3f}"),
    )


def _unmet(row: Item) -> str:
    return say(
        gettext_noop(
            "no plan: the demand of {party} for {material} cannot be met: {tonnes} t are missing in "
            "month {month}"
        ),
        party=row["party"],
        material=row["material"],
        tonnes=figure(row["tonnes"]),
        month=row["month"],
    )


def _short(one: Item, parties: list[str]) -> Iterator[str]:
    """Yield who is short of one material."""
    from renkei.materials import schemas

    for row in one["summary"]:
        low, high = map(figure, row["tonnes"])
        ends = (say(_STOCK_ENDS[name], days=days(at)) for name, at in row["stock_ends"].items())
        tonnes = say(gettext_noop("tonnes {low}–{high}"), low=low, high=high)
        yield "\t".join((one["material"], row["party"], *_bounds(row), tonnes, *ends))
    for row in one["dearer"]:
        yield (
            "  "
            + row["party"]
            + "\t"
            + say(
                gettext_noop("imports of {usd} US dollars a year cost {more} more"),
                usd=figure(row["usd_a_year"]),
                more=figure(row["more_usd_a_year"]),
            )
        )
    for row in one["rows"]:
        if row["country"] in parties:
            direct = say(gettext_noop("direct {share}"), share=f"{row['direct']:.3f}")
            since = f"{row['since']}/{row['until']}"
            yield "\t".join((f"  {row['country']}", row["stage"], since, direct, *_bounds(row)))
    yield from (f"  # {schemas.remark(flag)}" for flag in one["flags"])


def _cascade(found: Item) -> Iterator[str]:
    network = (
        gettext_noop("synthetic network, {firms} firms")
        if found["is_synthetic"]
        else gettext_noop("own network, {firms} firms")
    )
    yield "\t".join(
        (
            say(network, firms=found["firms"]),
            say(gettext_noop("loss {share}"), share=f"{found['loss']:.4f}"),
            say(gettext_noop("no diversion {share}"), share=f"{found['no_diversion']:.4f}"),
            say(gettext_noop("free diversion {share}"), share=f"{found['free_diversion']:.4f}"),
        )
    )
    low, high = found["lost_days_between"]
    lost = say(
        gettext_noop("days of all output lost {days} ({low}–{high})"),
        days=f"{found['lost_days']:.3f}",
        low=f"{low:.3f}",
        high=f"{high:.3f}",
    )
    first = say(
        gettext_noop("days until the first stock ends: {days}"),
        days=days(found["first_out_between"]),
    )
    yield f"{lost}\t{first}"
    for one in found["hit"][:10]:
        yield f"{one['firm']}\t{one['lost']:.3f}\t{one['free_diversion']:.3f}–{one['no_diversion']:.3f}"


def plan(result: Item, rows: list[Item]) -> Iterator[str]:
    """Yield a response plan: measures by rank, what is missing still, alternatives, values."""
    response = result.get("response")
    if response is None:
        yield from map(_unmet, result.get("unmet", ()))
        return
    yield "\t".join(
        (
            say(gettext_noop("rank")),
            say(gettext_noop("measure")),
            say(gettext_noop("material")),
            say(gettext_noop("for whom")),
            say(gettext_noop("from where")),
            say(gettext_noop("tonnes")),
            say(gettext_noop("US dollars")),
            say(gettext_noop("days")),
            say(gettext_noop("who acts")),
            say(gettext_noop("one more tonne saves, US dollars")),
        )
    )
    for row in rows:
        yield "\t".join(
            (
                str(row["rank"]),
                say(_KINDS[row["kind"]]),
                row["material"],
                row["place"],
                row["origin"] or "-",
                figure(row["tonnes"]),
                figure(row["usd"] or 0),
                str(row["delay_days"]),
                row["actor"],
                figure(row["marginal_usd"] or 0),
            )
        )
    for row in response["by_party"]:
        yield "# " + say(
            gettext_noop("{party} {material}: {missing} of {demand} t stay missing"),
            party=row["party"],
            material=row["material"],
            missing=figure(row["missing"]),
            demand=figure(row["demand"]),
        )
    for row in response["variants"]:
        yield "# " + say(
            gettext_noop(
                "{variant}: missing {share}, {usd} US dollars, {months} months, who acts: {who}"
            ),
            variant=say(_VARIANTS[row["without"] or ""]),
            share=f"{row['missing']:.4f}",
            usd=figure(row["cost"]),
            months=row["delay_months"],
            who=" ".join(row["who"]) or say(gettext_noop("nobody")),
        )
    for row in response["alternatives"]:
        yield "# " + say(
            gettext_noop(
                "not chosen: {kind}, {material} for {place} from {origin}, {usd} US dollars a tonne, "
                "{days} days, who acts: {who}"
            ),
            kind=say(_KINDS[row["kind"]]),
            material=row["material"],
            place=row["place"],
            origin=row["origin"] or "-",
            usd=figure(row["usd_a_tonne"]),
            days=row["delay_days"],
            who=row["who"],
        )
    for row in response["values"]:
        yield "# " + say(
            _VALUES[row["kind"]],
            place=row["place"],
            material=row["material"],
            usd=figure(row["usd"]),
        )


def loaded(told: Any, *, left_out: int) -> Iterator[str]:
    """Yield how a file was loaded, and what it changed."""
    yield "\t".join(
        (
            told.release,
            say(gettext_noop("rows={count}"), count=told.rows),
            say(gettext_noop("added={count}"), count=told.added),
            say(gettext_noop("unchanged={count}"), count=told.unchanged),
            say(gettext_noop("revised={count}"), count=len(told.revised)),
            *(
                say(sentence, count=count)
                for sentence, count in (
                    (gettext_noop("withdrawn={count}"), len(told.withdrawn)),
                    (gettext_noop("not in this file={count}"), told.missing),
                    (gettext_noop("added up from lines={count}"), told.lines),
                    (gettext_noop("left out={count}"), left_out),
                )
                if count
            ),
            *(
                say(gettext_noop("passed over ({why})={count}"), why=why, count=count)
                for why, count in told.passed_over.items()
            ),
        )
    )
    for one in told.revised:
        yield f"  {one.row}\t{one.what}\t{one.before} → {one.after}"
    for what in told.withdrawn:
        yield f"  -\t{what} →"


def joint_run(told: Item) -> Iterator[str]:
    """Yield a joint run: what both parties lost, and the own firms that are hit."""
    turns = say(gettext_noop("turns={count}"), count=told["turns"])
    yield f"{told['uid']}\t{told['partner']}\t{told['state']}\t{turns}"
    for side in (told["agreed"] or {"sides": ()})["sides"]:
        lost = "-" if side["lost"] is None else f"{side['lost'] / 10_000:.4f}"
        said = say(gettext_noop("lost {share}"), share=lost)
        yield f"{side['party']}\t{said}"
    for line in (told["own"] or {"hit": ()})["hit"]:
        yield f"  {line['firm']}\t{line['lost']:.4f}\t{line['share']:.4f}"


def back_test(counted: Item) -> Iterator[str]:
    """Yield how often alarms meant nothing, and on what that was measured."""
    from django.utils.translation import gettext

    from renkei.materials.models import Alarm

    if not counted.get("by_kind"):
        yield gettext(
            "No series has a dated event: nobody knows how often its alarms mean nothing."
        )
        return
    for one in counted["by_kind"]:
        yield gettext(
            "{kind}: {false_alarms} false alarms in {years} years of series ({rate} a year and "
            "series); found in {hits} of {events} series with a dated event"
        ).format(
            kind=Alarm.Kind(one["kind"]).label,
            false_alarms=one["false_alarms"],
            years=figure(one["series_years"]),
            rate="–" if one["rate"] is None else figure(one["rate"]),
            hits=one["hits"],
            events=one["events"],
        )
    yield gettext(
        "Measured by back-test on the dated events of the registry, which hit the codes {codes}: too "
        "few for a percentage."
    ).format(codes=", ".join(counted["codes"]))
    yield gettext("Alarms of many partners at once and of announced measures are not counted.")
