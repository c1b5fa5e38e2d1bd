"""Where the node meets Twisted: sockets, timers, Deferreds. Nothing below this folder knows that a reactor exists."""
