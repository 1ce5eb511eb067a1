// The Jinja room.
