"""A guard against documents whose nesting alone would keep a parser busy for minutes."""

from xml.parsers import expat

MAX_DEPTH = 2_000


class _TooDeep(Exception):
    pass


def is_too_deep(data: bytes) -> bool:
    """Whether well-formed XML nests more than 2,000 elements deep before its first error."""
    depth = 0

    def starts(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise _TooDeep

    def ends(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()  # loads nothing from outside unless told how
    parser.StartElementHandler, parser.EndElementHandler = starts, ends
    try:
        parser.Parse(data, True)
    except _TooDeep:
        return True
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return False
