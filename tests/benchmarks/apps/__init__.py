"""The same small works, written for each contender as its own documentation would."""
