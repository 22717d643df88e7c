"""Fuzzy search as in editors: the letters of the pattern in their order, word starts and runs count more."""

from __future__ import annotations

_WORD_START, _RUN, _LETTER, _GAP = 12, 6, 1, 0.15


def fuzzy_score(pattern: str, text: str) -> float | None:
    """How well ``text`` answers ``pattern``, higher is better; None if letters are missing. Words may come in any order.

    An empty pattern fits everything equally (0).
    """
    total = 0.0
    low = text.lower()
    for word in pattern.lower().split():
        score = _word_score(word, low)
        if score is None:
            return None
        total += score
    return total - 0.01 * len(text) if pattern.strip() else 0.0


def _word_score(word: str, text: str) -> float | None:
    """Best of a plain occurrence and of scattered letters."""
    place = text.find(word)
    while place >= 0:
        start = place == 0 or not text[place - 1].isalnum()
        if start or text.find(word, place + 1) < 0:
            return len(word) * (_LETTER + _RUN) + (_WORD_START if start else 0) - min(_GAP * place, 4)
        place = text.find(word, place + 1)
    return _scattered(word, text) if len(word) > 1 else None


def _scattered(word: str, text: str) -> float | None:
    score, position, before = 0.0, 0, -2
    for letter in word:
        found = _next_start(letter, text, position)
        if found < 0:
            return None
        starts = found == 0 or not text[found - 1].isalnum()
        score += _LETTER + (_RUN if found == before + 1 else 0) + (_WORD_START / 2 if starts else 0)
        score -= _GAP * (found - position)
        before, position = found, found + 1
    return score if score > len(word) else None


def _next_start(letter: str, text: str, position: int) -> int:
    """The letter right here, else at the next word start, else anywhere."""
    if position < len(text) and text[position] == letter:
        return position
    found = text.find(letter, position)
    first = found
    while found >= 0:
        if found == 0 or not text[found - 1].isalnum():
            return found
        found = text.find(letter, found + 1)
    return first
