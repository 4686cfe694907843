"""The WSGI application of one node, named by ``RENKEI_NODE``."""

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from renkei.base.http import MIB

BLOCK = 1 << 16

Application = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]


class KnownLength:
    """Give a body that comes in chunks a length: Django reads no body without one.

    It is read to a temporary file, and no further than one byte above what the node accepts; that
    byte makes ``BodyLimitMiddleware`` refuse it like one that announced its length.
    """

    def __init__(self, inner: Application, *, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Answer."""
        if environ.get("CONTENT_LENGTH") or not environ.get("HTTP_TRANSFER_ENCODING"):
            return self._inner(environ, start_response)
        with tempfile.SpooledTemporaryFile(max_size=MIB) as body:
            length = 0
            while length <= self._limit:
                block = environ["wsgi.input"].read(min(BLOCK, self._limit + 1 - length))
                if not block:
                    break
                body.write(block)
                length += len(block)
            body.seek(0)
            del environ["HTTP_TRANSFER_ENCODING"]
            environ |= {"CONTENT_LENGTH": str(length), "wsgi.input": body}
            return self._inner(environ, start_response)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renkei.site.settings")
_django: Any = get_wsgi_application()  # its type is Django's own, not WSGI's
application = KnownLength(_django, limit=settings.NODE.max_upload_mib * MIB)
