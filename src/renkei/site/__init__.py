"""The composition root: settings, addresses, command line and wiring of one node."""
