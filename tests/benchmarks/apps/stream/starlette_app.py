"""stream in a bare Starlette route: events straight from the generator."""

import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.benchmarks.apps.stream.schemas import StreamRequest, tokens


async def livez(_request: Request) -> Response:
    """Say that the server is up."""
    return Response("ok")


async def predict(request: Request) -> Response:
    """Stream the tokens."""
    given = StreamRequest.model_validate_json(await request.body())
    return StreamingResponse(_events(given), media_type="text/event-stream")


async def _events(given: StreamRequest) -> AsyncIterator[str]:
    for token in tokens(given):
        yield f"data: {token.model_dump_json()}\n\n"


app = Starlette(routes=[Route("/livez", livez), Route("/predict", predict, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
