"""Addresses of the border: its pages here, what other people's protocols fix in ``root``."""
