"""Pure help for every room: no Django, no sockets, no clock."""
