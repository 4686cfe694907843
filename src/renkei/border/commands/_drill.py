"""``renkei border drill``: a fault on a throwaway pair, and whether it ended as it must."""

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from renkei.base.commands import tell
from renkei.border import engine
from renkei.border.commands._group import border
from renkei.border.commands._rig import Rig, until
from renkei.kit.errors import gettext_noop

SECONDS = 90.0
Row = dict[str, Any]


class Report:
    """The steps of a drill: what was expected, and what happened."""

    def __init__(self, tell_step: Callable[[Row], None]) -> None:
        self.steps: list[Row] = []
        self._tell = tell_step

    def step(self, what: str, expected: object, found: object) -> None:
        """Note one step."""
        row = {
            "step": what,
            "expected": str(expected),
            "found": str(found),
            "ok": found == expected,
        }
        self.steps.append(row)
        self._tell(row)

    def awaits(self, what: str, expected: str, true: Callable[[], object]) -> None:
        """Note a step that takes a while."""
        began = time.monotonic()
        came = until(true, SECONDS)
        self.step(what, expected, expected if came else f"not after {SECONDS:.0f} s")
        self.steps[-1]["seconds"] = round(time.monotonic() - began, 2)


def _point(rig: Rig, name: str) -> tuple[int, str]:
    """Return size and root of the newest checkpoint that a node shows of its log."""
    note = rig.ask(name, "GET", "/log/checkpoint", token="")[1]
    found = engine.parse_checkpoint(engine.parse_note(note).text)
    return found.size, found.root.hex()


def _together(rig: Rig, report: Report, key: str) -> None:
    """Carry one joint act through."""
    act = rig.propose("us", key)
    report.step(f"us proposes {key}", True, act is not None)
    if act is None:
        return
    uid = act["uid"]
    report.awaits("jp sees it", "seen", lambda: rig.act("jp", uid))
    report.step("jp approves it", 200, rig.answer("jp", act))
    for name in rig.names:
        report.awaits(
            f"{name} shows it as witnessed by all",
            "witnessed",
            partial(_is_witnessed, rig, name, uid),
        )


def _is_witnessed(rig: Rig, name: str, uid: str) -> bool:
    return bool(rig.act(name, uid).get("stage") == "witnessed")


def _even(rig: Rig, report: Report) -> None:
    report.awaits("both nodes hold both logs, witnessed to the end", "even", rig.is_even)
    for name in rig.names:
        wrong = [said for row in rig.audit(name) for said in row["wrong"]]
        report.step(f"audit of {name}", [], wrong)


def _cut(rig: Rig, report: Report) -> None:
    """The link is cut while both sides write."""
    _together(rig, report, "before")
    for link in rig.links.values():
        link.cut()
    acts = {name: rig.propose(name, f"alone-{name}") for name in rig.names}
    for name, act in acts.items():
        report.step(f"{name} writes while the link is cut", True, act is not None)
    time.sleep(3)
    for name, act in acts.items():
        other = "jp" if name == "us" else "us"
        seen = bool(act and rig.act(other, act["uid"]))
        report.step(f"{other} sees nothing of it yet", False, seen)
    for link in rig.links.values():
        link.heal()
    for name, act in acts.items():
        other = "jp" if name == "us" else "us"
        if act is not None:
            report.awaits(
                f"{other} catches up by itself",
                "seen",
                partial(rig.act, other, act["uid"]),
            )
    _together(rig, report, "after")
    _even(rig, report)


def _fork(rig: Rig, report: Report) -> None:
    """One node signs another history than the one that its partner cosigned."""
    _together(rig, report, "before")
    report.awaits("both nodes are even", "even", rig.is_even)
    size, _root = _point(rig, "us")
    note = rig.ask("us", "GET", "/log/checkpoint", token="")[1]
    origin = engine.parse_checkpoint(engine.parse_note(note).text).origin
    folder = rig.folder("us") / "keys" / "border"
    keys = engine.NodeKeys.from_files({file.name: file.read_bytes() for file in folder.iterdir()})
    forked = engine.sign_checkpoint(
        engine.Checkpoint(origin, size, b"\1" * 32),
        ed25519=engine.Ed25519NoteSigner(origin, keys.log_ed25519),
        mldsa44=engine.MlDsa44Cosigner(origin, keys.log_mldsa44),
        timestamp=int(time.time()),
    )
    status, _said = rig.ask(
        "jp",
        "POST",
        "/border/v1/witness/add-checkpoint",
        engine.dump_add_checkpoint(size, [], forked),
        token="",
        headers={"Content-Type": "text/plain"},
    )
    report.step("jp refuses to cosign another root of the same size", 422, status)
    found = [row for row in rig.incidents("jp") if row["kind"] == "fork"]
    report.step("jp keeps both signed checkpoints", [True], [row["has_evidence"] for row in found])
    report.step("joint acts are frozen on jp", True, rig.propose("jp", "frozen") is None)
    report.step("jp can be read", 200, rig.ask("jp", "GET", "/en/", token="")[0])
    for row in found:
        path = f"/node/v1/border/incidents/{row['number']}/settlement"
        status = rig.ask("jp", "POST", path, {"why": "a drill"})[0]
        report.step("an officer of jp settles it", 200, status)
    _together(rig, report, "after")
    _even(rig, report)


def _restore(rig: Rig, report: Report) -> None:
    """A database comes back from an old backup."""
    _together(rig, report, "before")
    folder = rig.folder("us")
    copy = rig.var / "old.sqlite3"
    with (
        rig.stopped("us"),
        closing(sqlite3.connect(folder / "node.sqlite3")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    _together(rig, report, "after-the-backup")
    report.awaits("both nodes are even", "even", rig.is_even)
    newest = _point(rig, "us")
    with rig.stopped("us"):
        for file in folder.glob("node.sqlite3*"):
            file.unlink()
        shutil.copy(copy, folder / "node.sqlite3")
    report.awaits(
        "us notices that jp has cosigned more than it holds",
        "rollback",
        lambda: any(row["kind"] == "rollback" for row in rig.incidents("us")),
    )
    report.step("us signs nothing", True, rig.propose("us", "refused") is None)
    rig.end("us")
    done = rig.renkei("us", "border", "rebuild", "jp", "--json")
    report.step("us fetches its log back from the mirror of jp", 0, done.returncode)
    rig.start("us")
    report.step("size and root are those from before", newest, _point(rig, "us"))
    _together(rig, report, "after")
    _even(rig, report)


def _rotate(rig: Rig, report: Report) -> None:
    """Keys change, while the partner is away and while it is there."""
    _together(rig, report, "before")
    with rig.stopped("jp"):
        done = rig.renkei("us", "border", "rotate", "log", "--reason", "a drill", "--json")
        report.step("us rotates the key of its log while jp is away", 0, done.returncode)
    _together(rig, report, "with-the-new-key")
    for role in ("witness", "mirror", "sealing"):
        done = rig.renkei("jp", "border", "rotate", role, "--reason", "a drill", "--json")
        report.step(f"jp rotates its {role} key", 0, done.returncode)
    _together(rig, report, "with-all-new-keys")
    _even(rig, report)


DRILLS = {"cut": _cut, "fork": _fork, "restore": _restore, "rotate": _rotate}


@border.command(
    help=gettext_noop(
        "Rehearse a fault on a pair that is founded for it and removed again; exit 1 if it ends "
        "otherwise than it must. Your own nodes are not touched."
    )
)
@click.argument("fault", type=click.Choice(sorted(DRILLS)))
@click.option("--json", "as_json", is_flag=True, help=gettext_noop("Print JSON."))
def drill(fault: str, *, as_json: bool) -> None:
    """Rehearse a fault."""

    def said(row: Row) -> None:
        if not as_json:
            mark = "ok" if row["ok"] else "FAILED"
            click.echo(f"{mark}\t{row['step']}\t{row['expected']}\t{row['found']}")

    report = Report(said)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="renkei-drill-") as folder,
        Rig(Path(folder) / "var") as rig,
    ):
        DRILLS[fault](rig, report)
    passed = all(row["ok"] for row in report.steps)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        document = {"drill": fault, "ok": passed, "seconds": seconds, "steps": report.steps}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        tell(f"{fault}: {'ok' if passed else 'FAILED'}, {len(report.steps)} steps, {seconds} s")
    if not passed:
        sys.exit(1)
