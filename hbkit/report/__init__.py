"""What a run leaves behind for people: figures, text, one HTML page."""
