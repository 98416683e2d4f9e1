"""stream in FastAPI by hand, with FastAPI's own server-sent events."""

import sys
from collections.abc import AsyncIterable

import uvicorn
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse

from tests.benchmarks.apps.stream.schemas import StreamRequest, Token, tokens

app = FastAPI()


@app.get("/livez")
async def livez() -> str:
    """Say that the server is up."""
    return "ok"


@app.post("/predict", response_class=EventSourceResponse)
async def predict(request: StreamRequest) -> AsyncIterable[Token]:
    """Yield the tokens."""
    for token in tokens(request):
        yield token


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
