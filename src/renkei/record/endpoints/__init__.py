"""The record's part of the node's API."""

# Writing first: its fixed addresses stand before those that take any name.
from renkei.record.endpoints import _write, _read  # noqa: I001
from renkei.record.endpoints._base import router

__all__ = ["_read", "_write", "router"]
