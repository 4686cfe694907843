"""Manifest of the shared Django part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BaseConfig(AppConfig):
    """Accounts, roles, jobs and the web shell."""

    name = "renkei.base"
    label = "base"
    verbose_name = _("Node")
