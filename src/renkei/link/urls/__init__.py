"""Addresses of the link: its pages, and what the partner's end asks (``root``)."""
