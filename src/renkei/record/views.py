"""Pages of the record."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from renkei.base.access import PUBLIC, access


@access(PUBLIC)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the programme at a glance."""
    return TemplateResponse(request, "record/dashboard.html", {})
