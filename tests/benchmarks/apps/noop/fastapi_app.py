"""noop in FastAPI by hand: FastAPI checks, computes and replies, all in the HTTP process."""

import sys

import uvicorn
from fastapi import FastAPI

from tests.benchmarks.apps.noop.schemas import NoopRequest, NoopResponse

app = FastAPI()


@app.get("/livez")
async def livez() -> str:
    """Say that the server is up."""
    return "ok"


@app.post("/predict")
async def predict(request: NoopRequest) -> NoopResponse:
    """Return the square."""
    return NoopResponse(y=request.x * request.x)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
