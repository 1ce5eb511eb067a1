// The Tokenizers room.
