"""Django for every room: accounts and roles, jobs, errors, the web shell."""
