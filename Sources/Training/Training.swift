// The Training room.
