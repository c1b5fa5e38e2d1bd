"""What waits for an answer: pending events. Values out, no callbacks."""
