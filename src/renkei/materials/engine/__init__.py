"""The pure part of the room: mathematics, formats, protocol steps; no Django, no sockets."""
