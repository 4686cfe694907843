"""The shell's own pages as people meet them: both languages, both themes, phone and desktop."""

import uuid

import pytest
from django.utils import timezone

PUBLIC = (
    "/accounts/login/",
    "/accounts/inactive/",
    "/accounts/3rdparty/login/cancelled/",
    "/accounts/3rdparty/login/error/",
    "/nothing-here/",
)
SIGNED_IN = (
    "/account/",
    "/jobs/",
    "/accounts/logout/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/2fa/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
)
LOOKS = pytest.mark.parametrize(
    "look",
    [{"theme": theme, "width": width} for theme in ("light", "dark") for width in (1280, 360)],
)
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])
# Each theme meets each width and each language, and each width each language: what a page may have
# wrong comes from at most two of them.
PAIRS = pytest.mark.parametrize(
    ("language", "look"),
    [
        ("en", {"theme": "light", "width": 1280}),
        ("en", {"theme": "dark", "width": 360}),
        ("ja", {"theme": "dark", "width": 1280}),
        ("ja", {"theme": "light", "width": 360}),
    ],
)


@pytest.fixture
def somebody(transactional_db, person):
    """Return an operator with a second factor, a live and a revoked token, and jobs to look at."""
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from renkei.base.models import ApiToken, Job

    user = person("officer", "operator", name="operator")
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    ApiToken.issue(user=user, name="a live token")
    ApiToken.issue(user=user, name="a revoked token")
    ApiToken.objects.filter(name="a revoked token").update(revoked_at=timezone.now())
    for status in ("READY", "RUNNING", "SUCCESSFUL", "FAILED"):
        task = _task(status)
        Job.objects.create(task=task.pk, title="Programme record", done=3, total=4)
    _task("RUNNING")
    return user


def _task(status):
    from django_tasks_db.models import DBTaskResult

    is_over = status in {"SUCCESSFUL", "FAILED"}
    return DBTaskResult.objects.create(
        id=uuid.uuid4(),
        status=status,
        args_kwargs={"args": [], "kwargs": {}},
        task_path="renkei.nowhere.a_task",
        backend_name="default",
        run_after=timezone.now(),
        started_at=None if status == "READY" else timezone.now(),
        finished_at=timezone.now() if is_over else None,
        exception_class_path="builtins.ValueError" if status == "FAILED" else "",
        traceback="Traceback\nValueError: it broke" if status == "FAILED" else "",
    )


@PAIRS
def test_everybody_can_use_the_public_pages(open_page, axe, transactional_db, look, language):
    page = open_page(**look)
    for path in PUBLIC:
        page.goto(f"/{language}{path}")
        assert page.locator("html").get_attribute("lang") == language
        axe(page)
        _fits(page, look["width"])


@PAIRS
def test_everybody_can_use_the_pages_of_an_account(open_page, axe, somebody, look, language):
    page = open_page(**look, user=somebody)
    for path in SIGNED_IN:
        page.goto(f"/{language}{path}")
        assert page.url.endswith(f"/{language}{path}"), "sent elsewhere"
        assert page.locator("h1").count() == 1
        axe(page)
        _fits(page, look["width"])


def _fits(page, width):
    """Only marked regions may scroll sideways (WCAG 1.4.10)."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


@LANGUAGES
def test_the_activation_of_an_authenticator_app_is_usable(open_page, axe, person, language):
    page = open_page(width=360, user=person(name="newcomer"))
    page.goto(f"/{language}/accounts/2fa/totp/activate/")
    assert page.locator("img.qr").is_visible()
    axe(page)


def test_the_check_finds_what_is_wrong(browser_page, axe, transactional_db):
    """A check that cannot fail would prove nothing."""
    browser_page.goto("/en/accounts/login/")
    browser_page.evaluate("document.documentElement.removeAttribute('lang')")
    with pytest.raises(AssertionError, match="html-has-lang"):
        axe(browser_page)


def test_the_watch_sees_what_leaves_and_what_is_refused(browser_page, watch, transactional_db):
    browser_page.goto("/en/accounts/login/")
    browser_page.evaluate(
        """() => new Promise(done => {
            const script = document.createElement('script')
            script.textContent = 'window.ran = true'
            document.head.append(script)
            const image = document.createElement('img')
            image.onerror = done
            image.src = 'http://192.0.2.1/leak.png'
            document.body.append(image)
            setTimeout(done, 500)
        })"""
    )
    assert not browser_page.evaluate("window.ran === true")
    assert len(watch.refused) == 2, "an inline script and a foreign picture"
    watch.refused.clear()
    watch.foreign.clear()


@pytest.mark.parametrize(
    ("path", "language"),
    [("/nope", "en"), ("/en/nope/", "en"), ("/ja/nope/", "ja"), ("/nope?lang=ja", "ja")],
)
def test_a_wrong_address_is_answered_in_the_readers_language(
    browser_page, transactional_db, path, language
):
    response = browser_page.goto(path)

    assert response.status == 404
    assert browser_page.locator("html").get_attribute("lang") == language
    assert browser_page.locator("h1").get_attribute("data-problem") == "404"
    home = browser_page.locator("main a.button-primary").get_attribute("href")
    assert home == f"/{language}/"


def test_the_language_is_switched_in_place_and_kept(browser_page, transactional_db):
    browser_page.goto("/en/nothing-here/?a=1&b=%E9%80%A3")
    browser_page.get_by_role("link", name="日本語").click()
    assert browser_page.url.endswith("/ja/nothing-here/?a=1&b=%E9%80%A3")
    browser_page.goto("/nope")
    assert browser_page.locator("html").get_attribute("lang") == "ja"


def test_japanese_is_drawn_with_glyphs(browser_page, transactional_db):
    """Without a Japanese font every character would be drawn as the same empty box."""
    browser_page.goto("/ja/accounts/login/")
    drawn = browser_page.evaluate(
        """async () => {
            await document.fonts.ready
            const family = getComputedStyle(document.querySelector('h1')).fontFamily
            const marks = [...'連携記録約束資金']
            await document.fonts.load(`32px ${family}`, marks.join(''))
            return marks.map(mark => {
                const canvas = document.createElement('canvas')
                canvas.width = canvas.height = 40
                const pen = canvas.getContext('2d')
                pen.font = `32px ${family}`
                pen.fillText(mark, 4, 34)
                return canvas.toDataURL()
            })
        }"""
    )
    assert len(set(drawn)) == 8


def test_the_keyboard_reaches_the_content_first(browser_page, transactional_db):
    browser_page.goto("/en/accounts/login/")
    browser_page.keyboard.press("Tab")
    assert browser_page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    browser_page.keyboard.press("Enter")
    assert browser_page.evaluate("document.activeElement.id") == "main"


@LOOKS
def test_everything_works_without_scripts(open_page, somebody, look):
    page = open_page(**look, user=somebody, java_script_enabled=False)
    page.goto("/en/jobs/")
    page.get_by_role("button", name="Stop").first.click()
    assert page.get_by_text("The job was asked to stop.").is_visible()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("link", name="Sign in").is_visible()


def test_jobs_move_while_somebody_looks(open_page, somebody):
    from renkei.base.models import Job

    page = open_page(user=somebody)
    page.goto("/en/jobs/")
    assert page.get_by_text("3 / 4").count() == 4
    Job.objects.update(done=4)
    page.get_by_text("4 / 4").first.wait_for(timeout=30_000)
    assert page.locator("tbody tr").count() == 5


def test_jobs_stand_still_when_somebody_asks(open_page, somebody):
    page = open_page(user=somebody)
    page.goto("/en/jobs/")
    page.get_by_role("link", name="Stop updating by itself").click()
    assert page.locator("[hx-get]").count() == 0


def test_an_ended_session_leads_to_the_sign_in_page(open_page, somebody):
    """A part of a page must not be replaced by the sign-in page."""
    page = open_page(user=somebody)
    page.goto("/en/jobs/")
    page.context.clear_cookies()
    page.wait_for_url("**/accounts/login/?next=**", timeout=30_000)


PARTS = """
<nav class="breadcrumbs" aria-label="path"><ol><li><a href="#a">Commitments</a></li><li>One of them</li></ol></nav>
<div class="page-head"><div><h1>Parts of a page 部品</h1><p class="lead">What rooms put together.</p></div>
<div class="cluster"><a class="button" href="#b">CSV</a><a class="button button-primary" href="#c">Add</a></div></div>
<nav class="tabs" aria-label="tabs"><a href="#d" aria-current="page">Money</a><a href="#e">History</a></nav>
<ul class="tiles"><li class="tile"><span class="tile-label">Announced</span><span class="tile-value">45.0</span>
<span class="tile-note">bn US$, private</span></li><li class="tile"><span class="tile-label">署名済み</span>
<span class="tile-value">3 件</span><span class="tile-note">協定</span></li></ul>
<p class="cluster"><span class="badge">plain</span><span class="badge badge-good">good</span><span class="badge badge-info">info</span>
<span class="badge badge-warning">warning</span><span class="badge badge-bad">bad</span><span class="badge badge-accent">accent</span></p>
<p class="alert">info</p><p class="alert alert-success">done</p><p class="alert alert-warning">careful</p><p class="alert alert-error">failed</p>
<div class="columns"><form class="facets"><fieldset><legend>Domain</legend><ul><li><label><input type="checkbox"> Fusion
<span class="count">12</span></label></li></ul></fieldset><details open><summary>Status</summary><ul>
<li><a href="#f" aria-current="true">signed <span class="count">4</span></a></li></ul></details></form>
<div class="stack"><form class="search" role="search"><label class="visually-hidden" for="q">Search</label>
<input id="q" type="search"><button class="button-primary">Search</button></form>
<div class="table-scroll" tabindex="0" role="region" aria-label="table"><table><caption>By side</caption><thead><tr>
<th scope="col">Side</th><th scope="col" class="num">Sum</th></tr></thead><tbody><tr><th scope="row"><a href="#g">US</a></th>
<td class="num">1 096</td></tr></tbody></table></div>
<table class="table-stack"><thead><tr><th scope="col">Field</th><th scope="col">Value</th></tr></thead>
<tbody><tr><th scope="row" data-label="Field">Due</th><td data-label="Value">2027-03-31</td></tr></tbody></table>
<div class="claims"><article class="claim claim-published"><h3>Published</h3><p class="claim-value">US$ 30 bn</p>
<blockquote class="passage">… before <mark>thirty billion</mark> after …<cite>Source A</cite></blockquote></article>
<article class="claim"><h3>Rival</h3><p class="claim-value">US$ 25 bn</p><p class="muted">Source B</p></article></div>
<ol class="timeline"><li class="is-done"><time>2026-01</time>Signed</li><li class="is-overdue"><time>2026-06</time>Overdue report</li>
<li><time>2027-01</time>Due</li></ol>
<figure class="chart"><figcaption>Shares</figcaption><svg viewBox="0 0 160 30" width="160" height="30" role="img" aria-label="shares">
<rect width="20" height="30" fill="var(--chart-1)"/><rect x="20" width="20" height="30" fill="var(--chart-2)"/>
<rect x="40" width="20" height="30" fill="var(--chart-3)"/><rect x="60" width="20" height="30" fill="var(--chart-4)"/>
<rect x="80" width="20" height="30" fill="var(--chart-5)"/><rect x="100" width="20" height="30" fill="var(--chart-6)"/>
<rect x="120" width="20" height="30" fill="var(--chart-7)"/><rect x="140" width="20" height="30" fill="var(--chart-8)"/></svg></figure>
<dl class="facts"><dt>Period</dt><dd>2026 to 2031</dd><dt>期間</dt><dd>5 年</dd></dl><div class="empty"><p>Nothing.</p></div>
<div class="field field-invalid"><label for="x">Title</label><div class="field-help" id="x_helptext">In our words.</div>
<p class="field-error" id="x_error">Missing.</p><input id="x" aria-invalid="true" aria-describedby="x_helptext x_error"></div>
<nav class="pagination" aria-label="pages"><a class="button" href="#p">Previous</a><span aria-current="page">Page 2</span></nav></div></div>
"""


@LOOKS
def test_the_parts_that_rooms_put_together_are_usable(open_page, axe, transactional_db, look):
    """Contrast, sizes and names of every part of the style sheet, before a room uses it."""
    page = open_page(**look)
    page.goto("/en/nothing-here/")
    page.evaluate("html => { document.querySelector('main').innerHTML = html }", PARTS)
    axe(page)
    _fits(page, look["width"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chart_colours_stand_out_from_their_ground(open_page, transactional_db, theme):
    """At least 3 : 1, WCAG 1.4.11."""
    page = open_page(theme=theme)
    page.goto("/en/nothing-here/")
    names = ["--chart-background", *(f"--chart-{number}" for number in range(1, 9))]
    ground, *colours = page.evaluate(
        """names => names.map(name => {
            const pen = document.createElement('canvas').getContext('2d')
            pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name)
            return [1, 3, 5].map(at => parseInt(pen.fillStyle.slice(at, at + 2), 16) / 255)
        })""",
        names,
    )
    assert all(_contrast(colour, ground) >= 3 for colour in colours)
    assert len({tuple(colour) for colour in colours}) == 8


def _contrast(one, other):
    light = sorted(
        0.2126 * red + 0.7152 * green + 0.0722 * blue
        for red, green, blue in (
            [
                part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
                for part in colour
            ]
            for colour in (one, other)
        )
    )
    return (light[1] + 0.05) / (light[0] + 0.05)
