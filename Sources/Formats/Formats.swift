// The Formats room.
