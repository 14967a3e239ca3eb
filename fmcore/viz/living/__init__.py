"""Living figures, which compute in the browser what they show."""
