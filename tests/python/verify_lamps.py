"""Checks signatures in the draft's encoding. Standard input: [{algorithm, pq, classical, payload, context, signature}],
all but the first base64. Standard output: [[pqOk, classicalOk]]."""

import base64
import json
import sys

from composite_reference import verify_lamps

FIELDS = ("pq", "classical", "payload", "context", "signature")

json.dump(
    [
        verify_lamps(case["algorithm"], *(base64.b64decode(case[field]) for field in FIELDS))
        for case in json.load(sys.stdin)
    ],
    sys.stdout,
)
