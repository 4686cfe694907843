"""Names that the nodes of a demonstration and the simulated fibre share."""

from typing import Final

SECRETS_FILE: Final = "link.json"  # beside the nodes: what a courier would carry between them
FIBRE_FILE: Final = "fibre.json"  # beside the nodes: the fibre's ports, and what Eve does
