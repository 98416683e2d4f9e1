"""How the processes of one service talk: inherited socketpairs, no paths, nothing stale."""
