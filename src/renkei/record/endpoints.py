"""The record's part of the node's API."""

from ninja import Router

router = Router(tags=["record"])
