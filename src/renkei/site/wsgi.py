"""The WSGI application of one node, named by ``RENKEI_NODE``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renkei.site.settings")
application = get_wsgi_application()
