"""The tests; a package, so that no other one of that name on the path takes its place."""
