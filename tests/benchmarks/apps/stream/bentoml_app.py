"""stream as a BentoML service: one worker, no access log. BentoML streams text; this makes it events."""

from collections.abc import AsyncGenerator

import bentoml  # type: ignore[import-not-found]  # it has an environment of its own

from tests.benchmarks.apps.stream.schemas import StreamRequest, tokens


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Stream:
    """Yields tokens in BentoML's worker."""

    @bentoml.api(route="/predict", input_spec=StreamRequest)  # type: ignore[untyped-decorator]  # not installed
    async def predict(self, count: int) -> AsyncGenerator[str, None]:
        """Yield them."""
        for token in tokens(StreamRequest(count=count)):
            yield f"data: {token.model_dump_json()}\n\n"
