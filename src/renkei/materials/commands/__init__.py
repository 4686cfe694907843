"""``renkei materials``: read the registry, answer scenarios, load releases.

Data goes to stdout, words to stderr. Nothing of Django is imported before a node is entered.
"""

import csv
import json
import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import click

from renkei.base.commands import WrongUseError, print_json, reading, tell
from renkei.base.commands import on_node as on_any_node
from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.commands import _lines

PUBLISHERS = ("usgs", "baci", "comtrade", "wgi", "gleif", "customs")
OWN = ("links", "trade", "stocks", "sites", "bills", "measures", "events")
KINDS = (
    "export_ban",
    "export_quota",
    "mine_out",
    "refinery_out",
    "strait_closed",
    "cyber_attack",
    "price_shock",
)
EXPORTED = (
    "materials",
    "observations",
    "flows",
    "risks",
    "exposure",
    "stocks",
    "sites",
    "organisations",
    "bills",
    "events",
    "measures",
    "rules",
)
LANGUAGES = click.Choice(["en", "ja"])
Item = dict[str, Any]
DAY = click.DateTime(formats=["%Y-%m-%d"])


def on_node(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which node is meant, and in which language its texts are told."""
    language = click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
    return on_any_node(language(command))


@click.group(
    help=gettext_noop("Read the registry of critical materials, answer scenarios, load releases.")
)
def materials() -> None:
    """Hold the commands of the room."""


@materials.command(help=gettext_noop("Show the materials, or one of them whole."))
@click.argument("material", required=False)
@click.option("--all", "everything", is_flag=True, help=gettext_noop("All that releases report."))
@click.option("-q", "query", default="", help=gettext_noop("Words that a name must hold."))
@on_node
def show(
    *,
    material: str | None,
    everything: bool,
    query: str,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Show materials."""
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        if material is None:
            rows = [
                schemas.material_row(row)
                for row in door.materials(query=query, watched=not everything)
            ]
            _print_rows(rows, ("slug", "symbol", "name"), as_json=as_json)
            return
        told = schemas.material_out(door.find(material))
        if as_json:
            print_json(told)
            return
        for line in _lines.material(told):
            click.echo(line)


def _print_rows(rows: list[Item], names: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo("\t".join(_read(row[name]) for name in names))


def _read(value: Any) -> str:
    """Return a value as people read it; ``--json`` gives it whole."""
    if isinstance(value, float):
        return _lines.figure(value)
    return "-" if value in {None, ""} else str(value)


@materials.command(
    help=gettext_noop(
        "Show how concentrated a material is with every input, what a country is most "
        "vulnerable to, or, of both, what the score was made of."
    )
)
@click.argument("material", required=False)
@click.option("--stage", help=gettext_noop("mine or refine."))
@click.option("--country", help=gettext_noop("Rank what this country depends on."))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option(
    "--method",
    type=click.Choice(["hhi", "eu"]),
    default="hhi",
    show_default=True,
    help=gettext_noop("hhi: concentration; eu: supply risk and economic importance of the EU."),
)
@click.option("--recycling", default="", help=gettext_noop("For eu: recycling rate, as 0-0.1."))
@click.option("--substitution", default="", help=gettext_noop("For eu: the index, as 0.8-1."))
@click.option(
    "--use", "uses", multiple=True, help=gettext_noop("For eu: sector;share;value added.")
)
@click.option("--largest", type=float, help=gettext_noop("For eu: largest value added."))
@on_node
def risk(
    *,
    material: str | None,
    stage: str | None,
    country: str | None,
    limit: int,
    method: str,
    recycling: str,
    substitution: str,
    uses: tuple[str, ...],
    largest: float | None,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Show risks."""
    is_eu = method == "eu"
    if material is None and (is_eu or country is None):
        raise WrongUseError(gettext_noop("expected MATERIAL or --country"))
    if not is_eu and any((recycling, substitution, uses, largest is not None)):
        raise WrongUseError(
            gettext_noop("--recycling, --substitution, --use and --largest are for --method eu")
        )
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        if is_eu:
            scored = schemas.eu_out(
                door.eu_score(
                    door.find(str(material)),
                    door.place(country) if country else door.home(),
                    stage=stage or "",
                    recycling=door.interval(recycling),
                    substitution=door.interval(substitution),
                    uses=door.parse_uses("\n".join(uses)),
                    largest_value_added=largest,
                )
            )
            if as_json:
                print_json(scored)
            else:
                for line in _lines.eu_scores(scored):
                    click.echo(line)
            return
        if country is not None and material is not None:
            _print_opened(material, door.place(country), stage, as_json=as_json)
            return
        if country is not None:
            _print_ranking(door.place(country), stage, limit, as_json=as_json)
            return
        row = door.find(str(material))
        stages = [stage] if stage else sorted({one.stage for one in door.risks(row)})
        told = [schemas.concentration_out(row, at) for at in stages]
        if as_json:
            print_json(told)
            return
        for line in _lines.indices(told):
            click.echo(line)


def _print_ranking(country: str, stage: str | None, limit: int, *, as_json: bool) -> None:
    """Print what a country is most vulnerable to, at one stage if it is named."""
    from django.utils.translation import gettext

    from renkei.materials import door, schemas

    found = door.exposure(country)
    if stage is not None:
        found = found.filter(stage=stage)
    rows = [schemas.exposure_out(row) for row in found[:limit]]
    names = ("material", "code", "score", "leader", "leader_share", "kusd")
    _print_rows(rows, names, as_json=as_json)
    if not rows:
        tell(gettext("No trade of this country is in the registry."))


def _print_opened(material: str, country: str, stage: str | None, *, as_json: bool) -> None:
    """Print what a country's scores for one material were made of."""
    from renkei.materials import door, schemas

    row = door.find(material)
    rows = door.exposure(country).filter(material=row)
    opened = [
        schemas.opened_out(door.open_exposure(country, row.slug, one.code))
        for one in rows
        if stage in {None, one.stage}
    ]
    if not opened:
        raise door.NoExposureError(
            gettext_noop(
                "{country} has no score for {material}: the trade release shows no such goods of it "
                "that the country buys"
            ),
            country=country,
            material=row.slug,
        )
    if as_json:
        print_json(opened)
        return
    for line in _lines.exposures(opened):
        click.echo(line)


@materials.command(
    help=gettext_noop("List the rules of eligibility, or judge facts by those of a PROGRAMME.")
)
@click.argument("programme", required=False)
@click.option("--on", "as_of", type=DAY, help=gettext_noop("As of this day; else today."))
@click.option(
    "--hypothetical", is_flag=True, help=gettext_noop("Answer although it does not hold that day.")
)
@click.option("--mineral", default="", help=gettext_noop("Count agreements for it alone."))
@click.option(
    "--fact", "facts", multiple=True, help=gettext_noop("NAME:TEXT, such as a:AUS=60,CHN=40.")
)
@on_node
def rules(
    *,
    programme: str | None,
    as_of: datetime | None,
    hypothetical: bool,
    mineral: str,
    facts: tuple[str, ...],
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """List rules, or judge."""
    if programme is None and (as_of or hypothetical or mineral or facts):
        raise WrongUseError(
            gettext_noop("--on, --hypothetical, --mineral and --fact need a PROGRAMME")
        )
    given = _facts(facts)
    with reading(node, var, lang):
        from django.utils import timezone

        from renkei.materials import door, schemas

        if programme is None:
            rows = [schemas.rule_out(rule) for rule in door.rules()]
            _print_rows(rows, ("programme", "name", "since", "until", "clause"), as_json=as_json)
            return
        found = door.judge(
            programme,
            as_of=as_of.date() if as_of else timezone.localdate(),
            facts=given,
            hypothetical=hypothetical,
            mineral=mineral,
        )
        told = schemas.judgement_out(found)
        if as_json:
            print_json(told)
            return
        for line in _lines.judgement(told):
            click.echo(line)


def _facts(given: tuple[str, ...]) -> dict[str, str]:
    """Return what ``--fact`` states, by name.

    Raises:
        click.UsageError: one without a colon, or that is said twice: which one counts?
    """
    found: dict[str, str] = {}
    for one in given:
        name, colon, text = one.partition(":")
        if not (name and colon and text.strip()):
            raise WrongUseError(gettext_noop("--fact {one}: expected NAME:TEXT"), one=one)
        if name in found:
            raise WrongUseError(
                gettext_noop("--fact {name} is said twice: join both with a comma"), name=name
            )
        found[name] = text
    return found


@materials.command(help=gettext_noop("Answer what happens when something stops."))
@click.argument("named", metavar="[MATERIAL]…", nargs=-1)
@click.option("--kind", type=click.Choice(KINDS), default="export_ban", show_default=True)
@click.option("--from", "countries", multiple=True, help=gettext_noop("Where it happens."))
@click.option("--to", "importers", multiple=True, help=gettext_noop("Whom it hits; else all."))
@click.option("--strait", "straits", multiple=True, help=gettext_noop("A strait that is closed."))
@click.option("--firm", "firms", multiple=True, help=gettext_noop("A firm that is attacked."))
@click.option("--site", "sites", multiple=True, help=gettext_noop("A mine or works that is out."))
@click.option(
    "--code", "codes", multiple=True, help=gettext_noop("HS code of the goods; else all.")
)
@click.option("--start", type=DAY, help=gettext_noop("First day; else tomorrow."))
@click.option("--end", type=DAY, help=gettext_noop("Last day, instead of --days."))
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@click.option("--severity", type=float, default=1.0, show_default=True)
@click.option(
    "--assume",
    "assumed",
    multiple=True,
    help=gettext_noop(
        "NAME=LOW-HIGH of what is uncertain (diversion, new_partners, qualification_days, spare, "
        "substitution), stock_days:JPN=LOW-HIGH, or NAME=SHARE (recycle_share, fair_gap, floor)."
    ),
)
@click.option("--title", default="", help=gettext_noop("What it is called."))
@click.option("--public", "is_public", is_flag=True, help=gettext_noop("Strangers may read it."))
@on_node
def disrupt(
    *,
    named: tuple[str, ...],
    kind: str,
    countries: tuple[str, ...],
    importers: tuple[str, ...],
    straits: tuple[str, ...],
    firms: tuple[str, ...],
    sites: tuple[str, ...],
    codes: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    days: int,
    severity: float,
    assumed: tuple[str, ...],
    title: str,
    is_public: bool,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Answer a scenario here, and keep it."""
    with reading(node, var, lang):
        from datetime import timedelta

        from django.utils import timezone

        from renkei.materials import door

        first = start.date() if start else timezone.localdate() + timedelta(days=1)
        said = title or " ".join((kind, *named, *codes, *countries, *straits, *firms, *sites))[:160]
        made = door.disrupt(
            title=said,
            kind=kind,
            materials=named,
            countries=countries,
            importers=importers,
            straits=straits,
            firms=firms,
            sites=sites,
            codes=codes,
            parameters=_assumed(assumed),
            starts_on=first,
            ends_on=end.date() if end else None,
            days=days,
            severity=severity,
            is_public=is_public,
            now=True,
        )
        if as_json:
            print_json({"slug": made.slug, **(made.result or {})})
            return
        tell(made.slug)
        for line in _lines.scenario(made.result or {}):
            click.echo(line)


def _assumed(given: tuple[str, ...]) -> Item:
    """Return the parameters that ``--assume`` states; the door checks them.

    Raises:
        click.UsageError: one that cannot be read.
    """
    found: Item = {}
    seen: set[str] = set()
    for one in given:
        whole, _equals, value = one.partition("=")
        name, _colon, party = whole.strip().partition(":")
        try:
            ends = [float(part) for part in re.split(r"\s*[–〜～-]\s*", value.strip())]
        except ValueError:
            ends = []
        if len(ends) not in {1, 2} or (party and (len(ends) == 1 or name in seen)):
            raise WrongUseError(
                gettext_noop("--assume {one}: expected NAME=LOW-HIGH or NAME=SHARE"), one=one
            )
        if whole.strip() in seen or (not party and name in found):
            raise WrongUseError(gettext_noop("--assume {name} is said twice"), name=whole.strip())
        seen.add(whole.strip())
        if party:
            found.setdefault(name, {})[party] = ends
        else:
            found[name] = ends if len(ends) == 2 else ends[0]
    return found


@materials.command(
    help=gettext_noop("Show the response plan of a scenario, or propose it to the partner.")
)
@click.argument("scenario")
@click.option(
    "--joint", is_flag=True, help=gettext_noop("Print what both parties would approve, as JSON.")
)
@click.option("--propose", is_flag=True, help=gettext_noop("Propose it to the other parties."))
@click.option("--officer", default="", help=gettext_noop("Account of the officer who proposes."))
@click.option("--reason", default="", help=gettext_noop("Why, for the partner's officers."))
@click.option("--note", default="", help=gettext_noop("What else the plan shall say."))
@on_node
def respond(
    *,
    scenario: str,
    joint: bool,
    propose: bool,
    officer: str,
    reason: str,
    note: str,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Show a response plan, or propose it."""
    if propose and not (officer and reason):
        raise WrongUseError(gettext_noop("--propose needs --officer and --reason"))
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        found = door.find_scenario(scenario)
        if joint:
            print_json(door.recommend(found, note=note))
            return
        if propose:
            by = door.officer(officer)
            made = schemas.plan_out(door.propose(found, by=by, reason=reason, note=note))
            if as_json:
                print_json(made)
            else:
                click.echo(f"{made['uid']}\t{made['stage']}\t{made['headline']}")
            return
        for plan in door.plans(scenario=found.slug):
            tell(f"{plan.act.uid}\t{plan.stage}")
        rows = schemas.actions_out(found)
        if as_json:
            print_json({**((found.result or {}).get("response") or {}), "actions": rows})
            return
        for line in _lines.plan(found.result or {}, rows):
            click.echo(line)


@materials.command(help=gettext_noop("List the joint plans and how far each has come."))
@on_node
def plans(*, node: Path | None, var: Path, lang: str | None, as_json: bool) -> None:
    """List joint plans."""
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        rows = [schemas.plan_out(row) for row in door.plans()]
        _print_rows(rows, ("uid", "stage", "headline"), as_json=as_json)


@materials.command(help=gettext_noop("Look at every monthly series and list the alarms."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@on_node
def alarms(*, limit: int, node: Path | None, var: Path, lang: str | None, as_json: bool) -> None:
    """Sweep, and list alarms."""
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        done = door.watch()
        counted = door.back_test()
        rows = [schemas.alarm_out(row) for row in door.alarms()[:limit]]
        if as_json:
            print_json({"counted": counted, "items": rows})
            return
        _print_rows(rows, ("month", "series", "kind", "direction", "z"), as_json=False)
        from django.utils.translation import gettext

        for line in _lines.back_test(counted):
            click.echo(f"# {line}")
        said = gettext("{series} series until {until}; {new} new alarms.")
        tell(said.format(series=done.series, until=done.until or "–", new=done.new))


@materials.command(
    "import",
    help=gettext_noop(
        "Load a publisher's FILE, or a table of the node's own: all of it or nothing; twice changes "
        "nothing."
    ),
)
@click.argument("publisher", metavar="WHAT", type=click.Choice((*PUBLISHERS, *OWN)))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--known-on", type=DAY, help=gettext_noop("Day of publication; else today."))
@click.option("--title", default="", help=gettext_noop("What the edition is called."))
@click.option(
    "--reporter", default="", help=gettext_noop("Whose trade it is, where the table does not say.")
)
@click.option(
    "--flow",
    type=click.Choice(["", "import", "export"]),
    default="",
    help=gettext_noop("Which way it goes, where the table does not say."),
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="JPY=150.2",
    help=gettext_noop(
        "What one US dollar costs, for a customs table in another currency; of one month: "
        "JPY@2025-01=156.4."
    ),
)
@click.option(
    "--leave-out",
    is_flag=True,
    help=gettext_noop("Load the rest if at most 1 row in 20 is faulty, and list what stays out."),
)
@click.option(
    "--whole",
    is_flag=True,
    help=gettext_noop(
        "It is a whole edition: what an earlier one said of the same codes and periods, and it does "
        "not, is withdrawn."
    ),
)
@on_node
def import_(
    *,
    publisher: str,
    file: Path,
    known_on: datetime | None,
    title: str,
    reporter: str,
    flow: str,
    rates: tuple[str, ...],
    leave_out: bool,
    whole: bool,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Load a release."""
    given = {name: said for name, said in (("reporter", reporter), ("flow", flow)) if said}
    if publisher not in {"comtrade", "customs"} and given:
        raise WrongUseError(gettext_noop("--reporter and --flow are for comtrade and customs"))
    if publisher != "customs" and rates:
        raise WrongUseError(gettext_noop("--rate is for customs"))
    if publisher in OWN and (leave_out or title or whole):
        raise WrongUseError(
            gettext_noop("--leave-out, --whole and --title are for publishers' files")
        )
    with reading(node, var, lang):
        from renkei.base import problems
        from renkei.materials import door

        day: date | None = known_on.date() if known_on else None
        try:
            if publisher in OWN:
                loaded = door.import_own(publisher, file, known_on=day)
            else:
                loaded = door.import_file(
                    publisher,
                    file,
                    known_on=day,
                    title=title,
                    given=given,
                    leave_out=leave_out,
                    whole=whole,
                    rates=rates,
                )
        except door.FaultyReleaseError as error:
            faults = [_fault(fault, problems.say(fault)) for fault in error.faults]
            if as_json:
                print_json({"code": error.code, "faults": faults})
            else:
                for fault in faults:
                    tell(fault["detail"])
                tell(problems.say(error))
            sys.exit(1)
        _print_loaded(loaded, as_json=as_json)


def _print_loaded(loaded: Any, *, as_json: bool) -> None:
    from dataclasses import asdict, replace

    from renkei.base import problems

    left_out = [_fault(fault, problems.say(fault)) for fault in loaded.left_out]
    if as_json:
        print_json(asdict(replace(loaded, left_out=[])) | {"left_out": left_out})
        return
    for line in _lines.loaded(loaded, left_out=len(left_out)):
        click.echo(line)
    for fault in left_out:
        tell(fault["detail"])
    if loaded.missing:
        from django.utils.translation import gettext

        tell(
            gettext(
                "{count} figures of the same codes and periods that an earlier edition told are not in "
                "this file; they stay. If it is a whole edition, load it with --whole."
            ).format(count=loaded.missing)
        )
    if loaded.edition:
        from django.utils.translation import gettext

        tell(
            gettext(
                "The file says that it is the edition of {edition}: taken as published at the end of "
                "January of that year. Say with --known-on if it was another day."
            ).format(edition=loaded.edition)
        )
    if loaded.was_loaded:
        from django.utils.translation import gettext

        tell(gettext("This file was loaded before; nothing changed."))


@materials.command(
    help=gettext_noop("Show which figures of stocks may be told, or tell them (--publish).")
)
@click.option("--publish", is_flag=True, help=gettext_noop("Tell what may be told."))
@click.option(
    "--announce",
    is_flag=True,
    help=gettext_noop("Only say to the partners what is held back; no value."),
)
@click.option("--officer", default="", help=gettext_noop("Account of the officer who decides."))
@on_node
def release(
    *,
    publish: bool,
    announce: bool,
    officer: str,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Pass the release gate."""
    if (publish or announce) and not officer:
        raise WrongUseError(gettext_noop("--publish and --announce need --officer"))
    with reading(node, var, lang):
        from renkei.materials import door

        by = door.officer(officer) if officer else None
        if announce:
            door.announce()
        figures = door.publish_figures(by=by) if publish and by else door.preview()
        rows = [
            {
                "material": one.material,
                "kind": one.kind,
                "at_most_tonnes": None if one.why else one.tonnes,
                "held_back": one.why,
            }
            for one in figures
        ]
        _print_rows(rows, ("material", "kind", "at_most_tonnes", "held_back"), as_json=as_json)
        if not rows:
            from django.utils.translation import gettext

            tell(
                gettext(
                    "There is nothing to release: this node knows of no stocks. They come from a "
                    "table of the node's own: renkei materials import stocks FILE."
                )
            )


@materials.command(
    help=gettext_noop("Ask a PARTNER how many suppliers both have: the number, and not which.")
)
@click.argument("partner")
@click.option("--officer", required=True, help=gettext_noop("Account of the officer who asks."))
@on_node
def overlap(
    *, partner: str, officer: str, node: Path | None, var: Path, lang: str | None, as_json: bool
) -> None:
    """Ask for the size of the shared set of suppliers."""
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        told = schemas.overlap_out(door.ask_overlap(partner, by=door.officer(officer)))
        _print_rows([told], ("partner", "size", "shared", "decision"), as_json=as_json)


@materials.command(
    help=gettext_noop(
        "Run a failure of own firms through both nodes' firms with a PARTNER; border vectors alone "
        "cross."
    )
)
@click.argument("partner")
@click.option("--analyst", required=True, help=gettext_noop("Account of the analyst who asks."))
@click.option("--firm", "firms", multiple=True, help=gettext_noop("Code of an own firm."))
@click.option("--severity", type=float, default=1.0, show_default=True)
@click.option("--title", default="", help=gettext_noop("What it is called."))
@on_node
def joint(
    *,
    partner: str,
    analyst: str,
    firms: tuple[str, ...],
    severity: float,
    title: str,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Open a joint run and take it to its end here."""
    with reading(node, var, lang):
        from renkei.materials import door

        made = door.open_joint(
            partner,
            title=title or " ".join(firms)[:160],
            firms=firms,
            severity=severity,
            author=door.analyst(analyst),
            now=True,
        )
        _print_run(made.uid, as_json=as_json)


def _print_run(uid: str, *, as_json: bool) -> None:
    from renkei.materials import door, schemas

    told = schemas.joint_run_out(door.find_joint_run(uid))
    if as_json:
        print_json(told)
        return
    for line in _lines.joint_run(told):
        click.echo(line)


@materials.command(
    "joint-runs", help=gettext_noop("List the joint runs, or show one with every message of it.")
)
@click.argument("run", required=False)
@on_node
def joint_runs(
    *, run: str | None, node: Path | None, var: Path, lang: str | None, as_json: bool
) -> None:
    """List joint runs."""
    with reading(node, var, lang):
        from renkei.materials import door, schemas

        if run is not None:
            _print_run(run, as_json=as_json)
            return
        rows = [schemas.joint_run_row(row) for row in door.joint_runs()]
        _print_rows(rows, ("uid", "partner", "state", "turns", "title"), as_json=as_json)


@materials.command(
    "check-joint",
    help=gettext_noop(
        "Check without a node that border vectors alone crossed: MESSAGES beside the LEDGER of "
        "outgoing bytes, both as JSON."
    ),
)
@click.argument("messages", type=click.File("rb"))
@click.argument("ledger", type=click.File("rb"))
def check_joint(*, messages: IO[bytes], ledger: IO[bytes]) -> None:
    """Compare the messages of joint runs with a ledger."""
    from renkei.materials import engine

    said, rows = json.load(messages), json.load(ledger)["items"]
    wrong = engine.check_messages(said["items"], rows, target=said["target"])
    for line in wrong:
        click.echo(line)
    sent = sum(bool(row["is_sent"]) for row in said["items"])
    tell(f"{sent} of {len(said['items'])} messages were sent; {len(wrong)} faults")
    if wrong:
        sys.exit(1)


def _fault(error: RenkeiError, said: str) -> Item:
    return {"row": getattr(error, "row", None), "code": error.code, "detail": said}


@materials.command(help=gettext_noop("Write one kind of public rows as CSV, or JSON."))
@click.argument("kind", type=click.Choice(EXPORTED))
@click.option(
    "--known-on", type=DAY, help=gettext_noop("Observations and flows as known on this day.")
)
@on_node
def export(
    *,
    kind: str,
    known_on: datetime | None,
    node: Path | None,
    var: Path,
    lang: str | None,
    as_json: bool,
) -> None:
    """Export public rows."""
    if known_on is not None and kind not in {"observations", "flows"}:
        raise click.UsageError("--known-on is for observations and flows")
    with reading(node, var, lang):
        from renkei.materials import schemas

        rows = schemas.exported(kind, known_on=known_on.date() if known_on else None)
        if as_json:
            print_json(list(rows))
            return
        writer: Any = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, list(row))
                writer.writeheader()
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: object) -> str:
    """Return a value that no spreadsheet program takes for a formula (OWASP, CSV Injection)."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "@", "\t", "\r")) else text
