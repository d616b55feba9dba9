"""TYPERULES and INSTRUMENT of tape.par: what the observer knows better than the header.

TAPE's grammar joins the words of a value, so that a pattern cannot hold a blank: blanks count
neither in patterns nor in what they are compared with, and nor does case.
"""

import re
from collections.abc import Sequence

from tapewatch.errors import ParameterError
from tapewatch.model import Kind

Rule = tuple[Kind, str]

# What a word in a file's name says of it, for the rule that is proposed.
_KIND_OF_NAME = (
    (r"dark[ ._-]?flat|flat[ ._-]?dark", Kind.FLATDARK),
    (r"flat", Kind.FLAT),
    (r"dark", Kind.DARK),
    (r"bias|zero", Kind.BIAS),
)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read the value of TYPERULES.

    Parameters
    ----------
    text : str
        As ``flat:*flat*,dark:*dark*``; ``none`` for no rules.

    Returns
    -------
    tuple of (Kind, str)
        In the order given.

    Raises
    ------
    ParameterError
        With what is allowed.
    """
    if text.lower() == "none":
        return ()
    rules = []
    for word in text.split(","):
        kind, _, pattern = word.partition(":")
        if kind.lower() not in set(Kind) or not pattern:
            raise ParameterError(
                f"allowed are rules as flat:*flat*,dark:*dark* of the kinds {', '.join(Kind)}"
            )
        rules.append((Kind(kind.lower()), pattern))
    return tuple(rules)


def kind_by_rule(path: str, rules: Sequence[Rule]) -> Kind | None:
    """Find the kind that TYPERULES give a file.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``.
    rules : sequence of (Kind, str)
        The first whose pattern matches the whole path decides; ``*`` stands for any letters,
        ``/`` too, and ``?`` for one.

    Returns
    -------
    Kind or None
        None where no rule matches.
    """
    return next((kind for kind, pattern in rules if matches_glob(path, pattern)), None)


def matches_glob(text: str, pattern: str) -> bool:
    """Tell whether a pattern of tape.par matches a whole text.

    Parameters
    ----------
    text : str
        A path or the name of a camera.
    pattern : str
        With ``*`` and ``?``; all else stands for itself, brackets too.

    Returns
    -------
    bool
        Whether it does, blanks and case apart.
    """
    expression = re.escape("".join(pattern.split())).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, "".join(text.split()), re.IGNORECASE | re.DOTALL) is not None


def rule_to_add(path: str) -> str:
    """Propose the rule for a file whose header does not tell its kind.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``.

    Returns
    -------
    str
        ``TYPERULES flat:*flat*`` for ``Pencil65.FLAT.FIT``: by a word of its name or else of its
        folders, otherwise an object by how its name begins.
    """
    name = path.rpartition("/")[2]
    for text in (name, path):
        for expression, kind in _KIND_OF_NAME:
            if match := re.search(expression, text, re.IGNORECASE):
                return f"TYPERULES {kind}:*{match[0].lower().replace(' ', '')}*"
    target = re.match(r"[A-Za-z]+([0-9]{1,3}(?![0-9]))?", name)  # M13, but IMG of IMG0001
    return f"TYPERULES object:*{target[0]}*" if target else "TYPERULES object:*"


def flat_rule(path: str) -> str:
    """Propose the rule that makes a flat of a file and of those named like it.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``.

    Returns
    -------
    str
        ``TYPERULES flat:*flat*`` where name or folder say so, else by how its name begins.
    """
    rule = rule_to_add(path)
    return (
        rule
        if rule.startswith(f"TYPERULES {Kind.FLAT}:")
        else f"TYPERULES {Kind.FLAT}:*{_stem(path)}*"
    )


def _stem(path: str) -> str:
    """Letters with which a file's name begins; the whole name where there are none."""
    name = path.rpartition("/")[2]
    letters = re.match(r"[A-Za-z]+", name)
    return letters[0] if letters else "".join(name.split())
