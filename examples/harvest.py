"""A harvest in a plain for loop: retries, budget and concurrency are values, not code in the loop.

Try it: penstock simulate --port 8080 --limit 100 --window 2 --faults 0.2 &
        python examples/harvest.py http://127.0.0.1:8080
"""

import sys

from penstock import Api, Budget, Get, RetryPolicy
from penstock.pipeline import fetch


def carries_an_error(body: object) -> bool:
    """Some services answer 200 and mean an error."""
    return isinstance(body, dict) and "error" in body


def main(base: str) -> int:
    """Print the users 0 to 39 of the service at ``base`` as they come."""
    api = Api(
        base,
        retry=RetryPolicy(attempts=6, base=0.1, never={404}, failed=carries_an_error),
        budget=Budget(reserve=10),  # the limit is learned; 10 calls of it stay unspent
    )
    failed = 0
    for result in fetch(range(40), api, lambda n: Get(f"/users/{n}.json"), concurrency=8):
        if result.value is None:
            failed += 1
            print(f"{result.key}: {result.error}", file=sys.stderr)
        else:
            user = result.value.record()
            print(f"{result.key}: {user.name}, who says {user.status.text[:30]!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
