"""Walks over a shell script once and gives each word its role. Pure.

Not a shell: it knows words, quotes, substitutions, redirections, here-documents, ``case`` and which word is
a command's name. What it does not know it copies. ``shellpaths.py`` says what becomes of a word.
"""

from __future__ import annotations

import re

from mglab.localcloud.machines.inside.shellpaths import ASSIGNMENT, Mapping, Role, mapped_default, mapped_word

_KEYWORDS = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"))
_PREFIXES = frozenset(
    ("nohup", "setsid", "exec", "command", "env", "nice", "ionice", "stdbuf", "timeout", "xargs", "builtin")
)
_SAYS = frozenset(("echo", "printf"))
_EDITS = frozenset(("sed", "awk", "gawk", "mawk", "grep", "egrep", "fgrep", "perl", "tr", "cut", "expr"))
_WHOLE_ROOT = frozenset(("cd", "ls", "find", "du", "df", "rm"))
_BLANKS = re.compile(r"[ \t]*")
_HERE_DOCUMENT = re.compile(r"<<-?(?!<)")
_REDIRECT = re.compile(r"&>>?|<<<|[<>]&-?|>>|>\||<>|[<>](?!\()")
_OPERATOR = re.compile(r";;&|;;|;&|&&|\|\||\|&|[;&|()]")
_SOURCE_NAME = re.compile(r"\$\{BASH_SOURCE(?:\[0\])?\}|\$BASH_SOURCE(?:\[0\])?\b")


def mapped_script(text: str, mapping: Mapping, path: str = "") -> str:
    """Give the script as it is to be run; ``path`` is where its original lies, for ``$BASH_SOURCE``."""
    if path:
        text = _SOURCE_NAME.sub(lambda _: path, text)
    return _Reader(text, mapping).commands("")


class _Place:
    """Where in a command the reader is.

    ``name`` is the command's, empty while it is still to come; ``prefixed`` is after ``nohup`` and the like,
    whose options come first; ``edits`` is after the script of sed; ``depth`` counts parentheses, ``cases``
    open ``case`` commands, of which ``subject`` and ``pattern`` are the parts.
    """

    def __init__(self) -> None:
        self.name = ""
        self.redirected: Role | None = None
        self.prefixed = self.edits = self.array = self.subject = self.pattern = False
        self.depth = self.cases = 0

    def next_command(self) -> None:
        self.name, self.prefixed, self.redirected, self.edits = "", False, None, False

    def operator(self, operator: str) -> None:
        """Move on past ``;``, ``(`` and the like."""
        if self.array or self.pattern:
            self.array = self.array and operator != ")"
            self.pattern = self.pattern and operator != ")"
        elif operator in "()":
            self.depth += 1 if operator == "(" else -1
        self.pattern = self.pattern or (self.cases > 0 and operator in (";;", ";&", ";;&"))
        if not self.array:
            self.next_command()

    def role(self, word: str) -> Role:
        """Say what the next word is, and move on past it."""
        if self.redirected:
            role, self.redirected = self.redirected, None
            return role
        if self.array:
            return "argument"
        if self.pattern or self.subject:
            return self._in_case(word)
        return self._argument(word) if self.name else self._name(word)

    def _in_case(self, word: str) -> Role:
        if self.subject:
            self.pattern = word == "in"
            self.subject = not self.pattern
        elif word == "esac":
            self.cases, self.pattern, self.name = self.cases - 1, False, "esac"
        return "argument"

    def _name(self, word: str) -> Role:
        if ASSIGNMENT.match(word) or (self.prefixed and re.match(r"[-\d]", word)):
            return "argument"
        if word in _PREFIXES or word in _KEYWORDS:
            self.prefixed = word in _PREFIXES
            return "text"
        if word == "case":
            self.cases, self.subject = self.cases + 1, True
        elif word == "esac":
            self.cases = max(0, self.cases - 1)
        self.name = word
        return "command"

    def _argument(self, word: str) -> Role:
        if self.name in (".", "source", "eval", "trap"):
            return "sourced" if self.name in (".", "source") else "script"
        if self.name in _EDITS and not self.edits and not word.startswith("-"):
            self.edits = True
            return "text"
        if self.name in _WHOLE_ROOT:
            return "top"
        return "text" if self.name in _SAYS else "argument"


class _Reader:
    """The text, how far it has been read, and the here-documents whose bodies are still to come."""

    def __init__(self, text: str, mapping: Mapping) -> None:
        self.text = text
        self.mapping = mapping
        self.at = 0
        self.backquoted = False
        self.here_documents: list[tuple[str, bool]] = []

    def commands(self, closing: str) -> str:
        """Give the commands up to the closing character (not taken) or the end, mapped."""
        place, out = _Place(), []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == closing and place.depth == 0 and not place.pattern and not place.array:
                break
            out.append(self._token(char, place))
        return "".join(out)

    def _token(self, char: str, place: _Place) -> str:
        if char == "\n":
            if not place.array:
                place.next_command()
            return self._take(1) + self._bodies()
        if char in " \t":
            return self._take(1)
        if char == "#":
            return self._until("\n")
        if char in "<>" or self.text.startswith("&>", self.at):
            return self._redirection(place)
        if char in ";&|()":
            return self._operator(place)
        return self._argument(place)

    def _take(self, count: int) -> str:
        taken = self.text[self.at : self.at + count]
        self.at += count
        return taken

    def _until(self, end: str) -> str:
        """Take all up to the mark (not taken), or the rest."""
        found = self.text.find(end, self.at)
        return self._take((found if found >= 0 else len(self.text)) - self.at)

    def _through(self, end: str) -> str:
        return self._until(end) + self._take(len(end))

    def _operator(self, place: _Place) -> str:
        if self.text.startswith("((", self.at):
            return self._through("))")
        if self.text[self.at] == "(" and self.text[self.at - 1 : self.at] == "=":
            place.array = True
            return self._take(1)
        found = _OPERATOR.match(self.text, self.at)
        operator = self._take(len(found.group()) if found else 1)
        place.operator(operator)
        return operator

    def _redirection(self, place: _Place) -> str:
        if here_document := _HERE_DOCUMENT.match(self.text, self.at):
            return self._here_document(here_document.group())
        operator = _REDIRECT.match(self.text, self.at)
        if operator is None:  # <(commands) or >(commands)
            return self._take(2) + self.commands(")") + self._take(1)
        place.redirected = "text" if operator.group() == "<<<" else "argument"
        return self._take(len(operator.group()))

    def _here_document(self, operator: str) -> str:
        out = self._take(len(operator)) + self._blanks()
        delimiter = self._word()
        self.here_documents.append((re.sub(r"[\"'\\]", "", delimiter), operator.endswith("-")))
        return out + delimiter

    def _blanks(self) -> str:
        found = _BLANKS.match(self.text, self.at)
        return self._take(len(found.group()) if found else 0)

    def _bodies(self) -> str:
        """Take the bodies of the here-documents that the line just ended announced, as they are."""
        return "".join(self._body(self.here_documents.pop(0)) for _ in list(self.here_documents))

    def _body(self, here_document: tuple[str, bool]) -> str:
        delimiter, tabs = here_document
        out = ""
        while self.at < len(self.text):
            line = self._until("\n") + self._take(1)
            out += line
            if (line.lstrip("\t") if tabs else line).rstrip("\n") == delimiter:
                break
        return out

    def _argument(self, place: _Place) -> str:
        word = self._word()
        if not word:  # a backquote that closes nothing: as little use to a shell
            return self._take(1)
        if word.isdigit() and self.text[self.at : self.at + 1] in ("<", ">"):
            return word
        role = place.role(word)
        if role == "script" and (quoted := re.fullmatch(r"([\"'])(.*)\1", word, re.DOTALL)):
            return quoted[1] + mapped_script(quoted[2], self.mapping) + quoted[1]
        return mapped_word(word, role, self.mapping)

    def _word(self) -> str:
        """Take one word. The commands substituted within it come out mapped, the word itself does not."""
        out = ""
        while self.at < len(self.text) and (char := self.text[self.at]) not in " \t\n;&|()<>":
            piece = self._piece(char)
            if not piece:
                break
            out += piece
        return out

    def _piece(self, char: str) -> str:
        if char == "\\":
            return self._take(2)
        if char == "'":
            return self._take(1) + self._through("'")
        if char == '"':
            return self._take(1) + self._double_quoted()
        if char == "`" and self.backquoted:
            return ""
        return self._expansion(char) or self._take(1)

    def _double_quoted(self) -> str:
        out = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                return out + self._take(1)
            out += self._take(2) if char == "\\" else self._expansion(char) or self._take(1)
        return out

    def _expansion(self, char: str) -> str:
        """Take a ``$(...)``, ``${...}`` or backquoted command; nothing when none begins here."""
        if self.text.startswith("$((", self.at):
            return self._through("))")
        if self.text.startswith("$(", self.at):
            return self._take(2) + self.commands(")") + self._take(1)
        if self.text.startswith("${", self.at):
            return mapped_default(self._through("}"), self.mapping)
        return self._backquotes() if char == "`" and not self.backquoted else ""

    def _backquotes(self) -> str:
        self.backquoted = True
        out = self._take(1) + self.commands("`") + self._take(1)
        self.backquoted = False
        return out
