// The Commands room.
