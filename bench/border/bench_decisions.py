"""Random requests to random agreements: how many decisions a second, and does Cedar decide the same?

Cedar (``cedarpy``) is given its policies parsed and its requests in batches; ours decides one by one
and keeps the trace. One disagreement misses the target.
"""

import sys
import time

from bench.rows import keep, row
from tests.border import agreements, cedar

from renkei.border import engine

SETS = 500  # of one to three agreements with up to eighteen clauses
EACH = 220  # requests to each set: 110,000 in all
SHOW_EVERY = 100


def main() -> None:
    """Ask both the same."""
    ours = theirs = 0.0
    asked = allowed = disagreements = 0
    for seed in range(SETS):
        found, question = agreements.random_case(seed)
        policies, oracle = engine.Policies(found), cedar.translate(found)
        cases = [question() for _ in range(EACH)]
        start = time.process_time()
        answers = [engine.decide(policies, one, now=now, uses=uses) for one, now, uses in cases]
        ours += time.process_time() - start
        translated = [cedar.question(found, *case) for case in cases]
        start = time.process_time()
        verdicts = cedar.ask(translated, oracle)
        theirs += time.process_time() - start
        for answer, verdict, case in zip(answers, verdicts, cases, strict=True):
            asked += 1
            allowed += answer.allow
            if answer.allow != verdict:
                disagreements += 1
                print(f"seed {seed}: ours {answer.allow}, Cedar {verdict}: {case}", file=sys.stderr)
        if seed % SHOW_EVERY == SHOW_EVERY - 1:
            print(f"{asked} requests, {disagreements} disagreements", file=sys.stderr, flush=True)
    keep(
        "border",
        [
            row(
                f"decisions ({allowed} of {asked} allowed)", asked / ours, "1/s CPU",
                peer="cedarpy, parsed, batch", peer_value=asked / theirs, ratio=theirs / ours,
            ),
            # a ratio: the machine may be slow, or busy
            row("decisions of ours for one of Cedar's, same CPU", theirs / ours, "", ">= 3"),
            row(f"disagreements with Cedar in {asked} requests", disagreements, "", "<= 0"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
