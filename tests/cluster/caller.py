"""One of several processes that share a budget: fetches keys, until killed or done."""

from __future__ import annotations

import json
import sys

from penstock import Api, Budget, Get, Pipeline
from penstock.resilience import Limit


def main() -> None:
    url, at, first, last, reserve, limits = sys.argv[1:7]
    budget = Budget.shared(
        "key", at=at, reserve=float(reserve), limits=[Limit(*pair) for pair in json.loads(limits)]
    )
    api = Api(url, budget=budget)
    keys = Pipeline(range(int(first), int(last)))
    results = keys.fetch(api, lambda key: Get(f"/users/{key}.json"), concurrency=10)
    landed = sum(result.error is None for result in results)
    budget.close()
    print(json.dumps({"landed": landed}))


if __name__ == "__main__":
    main()
