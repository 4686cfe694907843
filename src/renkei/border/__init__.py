"""What partners tell each other: identity, statements, log, witness, mirror, agreements."""
