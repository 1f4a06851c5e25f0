"""Endless answers: every framing of a stream, and every way in which one goes wrong."""
