"""Pages of the registry."""

from renkei.materials.views._registry import (
    exposure,
    inputs,
    listing,
    material,
    product,
    releases,
)

__all__ = ["exposure", "inputs", "listing", "material", "product", "releases"]
