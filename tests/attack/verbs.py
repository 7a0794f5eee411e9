"""The verbs of the command line, in process, with one word about a good command made odd."""

NAMES: list[str] = []


def run(*_):
    pass
