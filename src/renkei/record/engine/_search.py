"""Terms for full-text search that work alike for English and Japanese.

Words of alphabetic scripts are terms as they are; a run of Chinese characters or kana becomes its
overlapping pairs, the usual way to search text that has no spaces. Indexes of SQLite (FTS5) and
PostgreSQL are then fed the same terms, whatever their own tokenizers know.
"""

import re
import unicodedata

_CJK_CLASS = r"[぀-ヿㇰ-ㇿ㐀-䶿一-鿿々〆ー]"
_CJK = re.compile(rf"{_CJK_CLASS}+")
_RUN = re.compile(rf"{_CJK_CLASS}+|(?:(?!{_CJK_CLASS})[^\W_])+")
MOST_TERMS_OF_A_QUERY = 12
LONGEST_TERM = 60
LONGEST_BY_ALL_PAIRS = 6


def _runs(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    decomposed = "".join(
        char
        for char in unicodedata.normalize("NFD", folded)
        # Marks on Latin letters go; the voicing marks of kana carry meaning and stay.
        if not unicodedata.combining(char) or char in "゙゚"
    )
    return _RUN.findall(unicodedata.normalize("NFC", decomposed))


def index_terms(text: str) -> list[str]:
    """Return every term under which ``text`` can be found."""
    terms: list[str] = []
    for run in _runs(text):
        if _CJK.fullmatch(run):
            # Single characters too, so that a query of one character finds something.
            terms += list(run)
            terms += [run[at : at + 2] for at in range(len(run) - 1)]
        else:
            terms.append(run[:LONGEST_TERM])
    return terms


def _pairs(run: str) -> list[str]:
    """Return the pairs that a run is asked by: all of them, of a long run every second one.

    Those of a long run still hold each of its characters, and each pair more costs all its hits.
    """
    step = 1 if len(run) <= LONGEST_BY_ALL_PAIRS else 2
    return [run[at : at + 2] for at in sorted({*range(0, len(run) - 1, step), len(run) - 2})]


def query_terms(text: str) -> list[tuple[str, bool]]:
    """Return the terms that a hit must all have, each with whether longer words count too.

    At most ``MOST_TERMS_OF_A_QUERY`` terms: more would only cost time.
    """
    terms: list[tuple[str, bool]] = []
    for run in _runs(text):
        if not _CJK.fullmatch(run):
            terms.append((run[:LONGEST_TERM], True))
        elif len(run) == 1:
            terms.append((run, False))
        else:
            terms += [(pair, False) for pair in _pairs(run)]
    return list(dict.fromkeys(terms))[:MOST_TERMS_OF_A_QUERY]
