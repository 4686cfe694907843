"""Renkei: two or more nations run one science and technology programme, each on its own node."""

__version__ = "0.1.0"
