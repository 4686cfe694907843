"""The shell's own pages as people meet them: both languages, both themes, phone and desktop."""

import uuid

import pytest
from django.utils import timezone

PUBLIC = ("/accounts/login/", "/nothing-here/")
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
    ("theme", "width"), [("light", 1280), ("light", 360), ("dark", 1280), ("dark", 360)]
)
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])


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


@LOOKS
@LANGUAGES
def test_everybody_can_use_the_public_pages(
    open_page, axe, transactional_db, theme, width, language
):
    page = open_page(theme=theme, width=width)
    for path in PUBLIC:
        page.goto(f"/{language}{path}")
        assert page.locator("html").get_attribute("lang") == language
        axe(page)
        _fits(page, width)


@LOOKS
@LANGUAGES
def test_everybody_can_use_the_pages_of_an_account(
    open_page, axe, somebody, theme, width, language
):
    page = open_page(theme=theme, width=width, user=somebody)
    for path in SIGNED_IN:
        page.goto(f"/{language}{path}")
        assert page.url.endswith(f"/{language}{path}"), "sent elsewhere"
        assert page.locator("h1").count() == 1
        axe(page)
        _fits(page, width)


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
def test_everything_works_without_scripts(open_page, somebody, theme, width):
    page = open_page(theme=theme, width=width, user=somebody, java_script_enabled=False)
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
    page.get_by_text("4 / 4").first.wait_for(timeout=6000)
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
    page.wait_for_url("**/accounts/login/?next=**", timeout=6000)
