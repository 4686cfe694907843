"""What the border tells the dashboard: each partner's last proven state, what all have witnessed."""

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.utils.translation import override

from renkei.border.models import Act, Checkpoint, Entry, Log
from renkei.border.views._overview import figures

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 3, 4, 5, tzinfo=UTC)


def test_a_partner_with_whom_nothing_was_exchanged_is_said_so():
    with override("en"):
        shown = figures()

    assert [figure.value for figure in shown] == ["none yet"] * len(settings.NODE.partners)
    assert {str(figure.note) for figure in shown} <= {"not exchanged yet"}
    assert {figure.url for figure in shown} <= {"/en/border/"}


def test_the_newest_witnessed_checkpoint_of_the_partner_is_shown():
    """A newer one that not every party cosigned proves nothing yet; another's log is another's."""
    (partner, *_) = settings.NODE.partners
    theirs = Log.objects.create(origin="theirs", name=partner.name, party="JP", frontier=b"")
    others = Log.objects.create(origin="others", name="other", party="FR", frontier=b"")
    for log, size, at in ((theirs, 3, AT), (theirs, 7, AT), (theirs, 9, None), (others, 11, AT)):
        Checkpoint.objects.create(
            log=log, size=size, root=b"", note=b"", signed_at=AT,
            is_witnessed=at is not None, witnessed_at=at,
        )  # fmt: skip

    with override("en"):
        figure = figures()[0]

    assert (figure.value, str(figure.note)) == (
        "2026-11-03 04:05", "7 entries, cosigned by every party",
    )  # fmt: skip
    with override("ja"):
        assert figures()[0].url == "/ja/border/"


def test_the_newest_joint_act_that_all_have_witnessed_is_named():
    log = Log.objects.create(origin="own", name="us", party="US", is_own=True, frontier=b"")
    for number, (stage, at) in enumerate((("sealed", AT), ("proposed", None), ("sealed", None))):
        entry = Entry.objects.create(
            log=log, index=number, leaf=bytes([number]) * 32, data=b"{}", type="t", uid=f"u{number}",
            fate="applied",
        )  # fmt: skip
        Act.objects.create(
            uid=f"u{number}", kind="record.commitment", record=f"record.commitment/us/{number}",
            stage=stage, home="us", parties=["US", "JP"], proposal=entry, witnessed_at=at,
            seal=entry if stage == "sealed" else None, version=f"{number}" * 64 if at else "",
            content={"title_en": f"Act {number}", "title_ja": f"行為{number}"},
            expires="2026-12-01T00:00:00Z",
        )  # fmt: skip

    with override("en"):
        figure = figures()[-1]
    assert (str(figure.label), figure.value) == ("Joint acts witnessed by all", "1")
    assert (figure.note, figure.url) == ("newest: Act 0", "/en/border/acts/")
    with override("ja"):
        assert figures()[-1].note == "最新: 行為0"
