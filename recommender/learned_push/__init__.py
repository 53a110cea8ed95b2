"""What readers' own opens teach about alerts: when to send, how likely an open is, how much is too much."""
