"""Public pages that are asked for often: rendered by Jinja, which compiles a page to Python.

Forms, accounts and refusals stay with Django's templates, and so does the shell around every page.
A room's templates lie in its folder ``jinja2``; one that is a page has the blocks ``title`` and
``content`` and, below a list, ``breadcrumbs``.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template import Context
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from renkei.base.access import roles_of
from renkei.base.shell import shell, url
from renkei.base.spoken import speaking, spoken
from renkei.base.templatetags import renkei as tags

_PLACE = "0PLACE0"  # letters and digits: neither escaped nor quoted
_PLACES = ("title", "breadcrumbs", "content")
_BASE = PackageLoader("renkei.base", "jinja2")


@cache
def _said(text: str, language: str) -> str:  # noqa: ARG001  part of the key
    return gettext(text)


def said(text: str) -> str:
    """Return a sentence in the active language; kept, because catalogues do not change."""
    return _said(text, spoken())


def empty(said: str, hint: str = "") -> SafeString:
    """Return what stands where a list would be."""
    more = format_html('<p class="muted">{}</p>', hint) if hint else ""
    return format_html('<div class="empty"><p>{}</p>{}</div>', said, more)


def _query(request: HttpRequest, **changes: object) -> str:
    return tags.query(Context({"request": request}), **changes)


class Pages:
    """The pages of one room.

    Args:
        package: where the folder ``jinja2`` lies.
        filters: what templates can say of a value.
        functions: what templates can call.
        style: path of the room's own style sheet.
    """

    def __init__(
        self,
        package: str,
        *,
        filters: Mapping[str, Callable[..., Any]],
        functions: Mapping[str, Callable[..., Any]],
        style: str,
    ) -> None:
        self._style = style
        self._shells: dict[tuple[object, ...], list[str]] = {}
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package, "jinja2"), _BASE]),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._environment.filters |= {"empty": empty, **filters}
        self._environment.globals |= {
            "_": said,
            "url": url,
            "static": static,
            "language": spoken,
            "query": _query,
            **functions,
        }

    def fragment(self, name: str, context: Mapping[str, Any]) -> SafeString:
        """Return a piece of a page."""
        with speaking():
            return mark_safe(self._environment.get_template(name).render(context))  # noqa: S308  Jinja escapes

    def page(self, request: HttpRequest, name: str, context: Mapping[str, Any]) -> HttpResponse:
        """Return a page inside the shell."""
        template: Template = self._environment.get_template(name)
        filled = template.new_context(
            {**context, "request": request, "held_roles": roles_of(request)}
        )
        with speaking():
            parts = {
                block: mark_safe("".join(render(filled)))  # noqa: S308  Jinja escapes
                for block, render in template.blocks.items()
            }
        if request.user.is_authenticated or len(get_messages(request)):
            return TemplateResponse(request, "base/page.html", {**parts, "style": self._style})
        return HttpResponse(self._for_strangers(request, parts))

    def _for_strangers(self, request: HttpRequest, parts: Mapping[str, str]) -> str:
        """Return the page with the shell that is the same for all who are not signed in.

        It differs by language and by the entry of the menu that is marked; everything else in it
        stands at ``_PLACES``, so it is rendered once for each of those.
        """
        marked = tuple(entry["current"] for entry in shell(request)["menu"])
        kept = spoken(), marked
        if kept not in self._shells:
            places = {name: f"{_PLACE}{name}{_PLACE}" for name in (*_PLACES, "here")}
            whole = render_to_string("base/page.html", {**places, "style": self._style}, request)
            self._shells[kept] = whole.split(_PLACE)
        told = {**dict.fromkeys(_PLACES, ""), **parts, "here": quote(request.get_full_path(), "")}
        # What was marked stands at the odd places: it was between two marks.
        pieces = self._shells[kept]
        return "".join(told[piece] if at % 2 else piece for at, piece in enumerate(pieces))
