"""batching.max_weight (docs/behavior.md, 3.1)."""

import concurrent.futures
from pathlib import Path

from tests.services import assert_problem, config, endpoint, serving


def test_batches_by_weight(tmp_path: Path) -> None:
    """A batch weighs no more than allowed; what is heavier alone goes alone; a bad weight fails by itself."""
    weighed = endpoint("weighed:Weighed", "/weighed", "Number", "Number", batching={"max_size": 16, "max_weight": 8})
    with serving(config(tmp_path, {"weighed": weighed})) as service:

        def ask(weight: float) -> float:
            answer: float = service.post("/weighed", {"x": weight}).json()["x"]
            return answer

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            light = list(pool.map(ask, [3.0] * 12))
        assert max(light) == 6.0, "two fit, three do not"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, [20.0] * 4)) == [20.0] * 4
        assert_problem(service.post("/weighed", {"x": -1}), 500, "predict-failed")
        assert ask(1.0) == 1.0
