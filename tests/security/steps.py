"""How many steps a backtracking matcher takes: counted over ``re``'s own parse of an expression.

``re`` tells no steps, and seconds lie on a busy machine. This walks the parse as ``sre`` does, and
counts every attempt to match one item at one place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from random import Random
from re import _constants as op  # type: ignore[attr-defined] # the parser's own names
from re import _parser as parser  # type: ignore[attr-defined] # likewise
from typing import Any, TypeAlias

Tree = list[tuple[object, Any]]
Argument: TypeAlias = Any  # of an item: a code, a set, a body, as the parser has it
Pattern = re.Pattern[str] | re.Pattern[bytes]
Go = Callable[[int], bool]
LIMIT = 400_000
_REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}


class TooMany(Exception):
    """More steps than anything linear takes."""


def tree_of(pattern: re.Pattern[str] | re.Pattern[bytes]) -> Tree:
    text = pattern.pattern
    return list(parser.parse(text, pattern.flags))


def is_in(kind: object, argument: Argument, character: str, flags: int) -> bool:
    """Whether an item for one character takes it."""
    folded = (
        {character, character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
    )
    codes = {ord(one) for one in folded if len(one) == 1}
    if kind is op.LITERAL:
        return argument in codes
    if kind is op.NOT_LITERAL:
        return argument not in codes
    if kind is op.ANY:
        return bool(flags & re.DOTALL) or character != "\n"
    found, negated = False, False
    for what, value in argument:
        if what is op.NEGATE:
            negated = True
        elif what is op.LITERAL:
            found = found or value in codes
        elif what is op.RANGE:
            found = found or any(value[0] <= code <= value[1] for code in codes)
        else:
            found = found or _category(value, character, flags)
    return found is not negated


def _category(which: object, character: str, flags: int) -> bool:
    plain = bool(flags & re.ASCII) or not flags & re.UNICODE
    known = character.isascii() or not plain
    name = str(which)
    has = {
        "DIGIT": known and character.isdigit(),
        "SPACE": known and character.isspace(),
        "WORD": known and (character.isalnum() or character == "_"),
    }[name.rpartition("_")[2]]
    return has is not ("_NOT_" in name)


class Matcher:
    """One expression and a text, with the steps it took."""

    def __init__(self, pattern: re.Pattern[str] | re.Pattern[bytes], text: str) -> None:
        self.tree = tree_of(pattern)
        self.flags = pattern.flags
        self.text = text
        self.steps = 0
        self.groups: dict[int, tuple[int, int]] = {}

    def count(self, *, anchored: bool) -> int:
        """Return the steps of one match at the start, or of a search through all of it."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(20_000)
        try:
            self._search(anchored=anchored)
        finally:
            sys.setrecursionlimit(limit)  # other tests ask what is nested too deeply
        return self.steps

    def _search(self, *, anchored: bool) -> None:
        start = 0
        while start <= len(self.text):
            ends: list[int] = []
            if self._all(self.tree, 0, start, _into(ends)):
                start = max(ends[0], start + 1)
            else:
                start += 1
            if anchored:
                break

    def _all(self, tree: Tree, index: int, at: int, go: Go) -> bool:
        if index == len(tree):
            return go(at)
        self.steps += 1
        if self.steps > LIMIT:
            raise TooMany
        kind, argument = tree[index]
        return self._one(kind, argument, at, lambda end: self._all(tree, index + 1, end, go))

    def _one(self, kind: object, argument: Argument, at: int, go: Go) -> bool:  # noqa: PLR0911 - a table
        if kind in {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}:
            here = at < len(self.text) and is_in(kind, argument, self.text[at], self.flags)
            return here and go(at + 1)
        if kind in _REPEATS:
            least, most, body = argument
            if kind is op.POSSESSIVE_REPEAT:
                return go(end) if (end := self._greedy(list(body), least, most, at)) >= 0 else False
            return self._repeat(list(body), least, most, 0, at, go, lazy=kind is op.MIN_REPEAT)
        if kind is op.SUBPATTERN:
            number, _, _, body = argument

            def closed(end: int) -> bool:
                self.groups[number] = (at, end)
                return go(end)

            return self._all(list(body), 0, at, closed)
        if kind is op.BRANCH:
            return any(self._all(list(body), 0, at, go) for body in argument[1])
        if kind is op.ATOMIC_GROUP:
            end = self._greedy(list(argument), 1, 1, at)
            return end >= 0 and go(end)
        if kind in {op.ASSERT, op.ASSERT_NOT}:
            direction, body = argument
            holds = self._looks(list(body), direction, at)
            return holds is (kind is op.ASSERT) and go(at)
        if kind is op.GROUPREF:
            start, end = self.groups.get(argument, (0, 0))
            same = self.text.startswith(self.text[start:end], at)
            return same and go(at + end - start)
        return self._is_at(argument, at) and go(at)

    def _repeat(
        self, body: Tree, least: int, most: int, done: int, at: int, go: Go, *, lazy: bool
    ) -> bool:
        def more(end: int) -> bool:
            if end == at and done >= least:
                return False
            return self._repeat(body, least, most, done + 1, end, go, lazy=lazy)

        if done < least:
            return self._all(body, 0, at, more)
        if lazy:
            return go(at) or (done < int(most) and self._all(body, 0, at, more))
        return (done < int(most) and self._all(body, 0, at, more)) or go(at)

    def _greedy(self, body: Tree, least: int, most: int, at: int) -> int:
        done = 0
        while done < int(most):
            ends: list[int] = []
            if not self._all(body, 0, at, _into(ends)):
                break
            done += 1
            if ends[0] == at:
                break
            at = ends[0]
        return at if done >= least else -1

    def _looks(self, body: Tree, direction: int, at: int) -> bool:
        if direction > 0:
            return self._all(body, 0, at, lambda _: True)
        return any(
            self._all(body, 0, start, lambda end: end == at)
            for start in range(at, max(-1, at - 3), -1)
        )

    def _is_at(self, where: object, at: int) -> bool:
        text, name = self.text, str(where)
        word = [0 <= i < len(text) and (text[i].isalnum() or text[i] == "_") for i in (at - 1, at)]
        if "BOUNDARY" in name:
            return (word[0] is not word[1]) is not ("NON" in name)
        by_line = bool(self.flags & re.MULTILINE) and not name.endswith("STRING")
        if "BEGINNING" in name:
            return at == 0 or (by_line and text[at - 1] == "\n")
        return at == len(text) or ((by_line or at == len(text) - 1) and text[at] == "\n")


def _into(ends: list[int]) -> Go:
    def put(end: int) -> bool:
        ends.append(end)
        return True

    return put


_JOINTS = ("", ":", " ")


class Maker:
    """Makes texts that an expression takes for long, from its own parse."""

    def __init__(self, pattern: re.Pattern[str] | re.Pattern[bytes]) -> None:
        self.flags = pattern.flags
        self.tree = tree_of(pattern)
        self._rng = Random(1)
        own = [chr(code) for code in _literals(self.tree)]
        self._letters = [*dict.fromkeys([*own, *"a1 \"'<>=;,-.:/\n\t\\", "é", "\x01"])]

    def texts(self, count: int, *, joined: bool = True) -> Iterator[str]:
        """Yield texts in which something that may repeat does so ``count`` times.

        And, ``joined``, such in which what comes before that does.
        """
        for before, body in _repeated(self.tree, []):
            for _ in range(3):
                start, again = self._sample(before), self._sample(body) or "a"
                for end in ("", "\x00"):
                    yield start + again * count + end
            for joint in _JOINTS if joined else ():  # each beginning reads all that are behind it
                yield (self._sample(before) + joint) * count
        for cut in range(1, len(self.tree) + 1):
            yield self._sample(self.tree[:cut]) * count

    def _sample(self, tree: Tree) -> str:
        parts: list[str] = []
        for kind, argument in tree:
            if kind in {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}:
                fits = [c for c in self._letters if is_in(kind, argument, c, self.flags)]
                if kind is op.LITERAL:
                    fits = [chr(argument)]
                parts.append(self._rng.choice(fits) if fits else "")
            elif kind in _REPEATS:
                least, most, body = argument
                times = max(int(least), min(int(most), self._rng.choice((0, 1, 1))))
                parts.extend(self._sample(list(body)) for _ in range(times))
            elif kind is op.SUBPATTERN:
                parts.append(self._sample(list(argument[3])))
            elif kind is op.BRANCH:
                parts.append(self._sample(list(self._rng.choice(argument[1]))))
            elif kind is op.ATOMIC_GROUP:
                parts.append(self._sample(list(argument)))
        return "".join(parts)


def _repeated(tree: Tree, before: Tree) -> Iterator[tuple[Tree, Tree]]:
    for index, (kind, argument) in enumerate(tree):
        ahead = [*before, *tree[:index]]
        if kind in _REPEATS:
            _, most, body = argument
            if int(most) > 32:
                yield ahead, list(body)
            yield from _repeated(list(body), ahead)
        elif kind is op.SUBPATTERN:
            yield from _repeated(list(argument[3]), ahead)
        elif kind is op.BRANCH:
            for body in argument[1]:
                yield from _repeated(list(body), ahead)
        elif kind is op.ATOMIC_GROUP:
            yield from _repeated(list(argument), ahead)


def _literals(tree: Argument) -> Iterator[int]:
    if isinstance(tree, tuple) and len(tree) == 2 and tree[0] is op.LITERAL:
        yield tree[1]
    elif isinstance(tree, list | tuple) or type(tree).__name__ == "SubPattern":
        for part in tree:
            yield from _literals(part)


def growth(
    pattern: re.Pattern[str] | re.Pattern[bytes],
    *,
    anchored: bool,
    count: int = 24,
    joined: bool = True,
) -> float:
    """Return by how much the steps grow where a worst text gets twice as long: 2 is linear."""
    worst = 0.0
    few_of, many_of = (Maker(pattern).texts(n, joined=joined) for n in (count, 2 * count))
    pairs = zip(few_of, many_of, strict=True)
    for short, long in pairs:
        try:
            few = Matcher(pattern, short).count(anchored=anchored)
            many = Matcher(pattern, long).count(anchored=anchored)
        except TooMany:
            return float("inf")
        worst = max(worst, many / max(few, 24))
    return worst
