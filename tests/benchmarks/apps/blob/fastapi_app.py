"""blob in FastAPI by hand: the body is read and measured in the HTTP process."""

import sys

import uvicorn
from fastapi import FastAPI, Request

from tests.benchmarks.apps.blob.schemas import BlobResponse, measured

app = FastAPI()


@app.get("/livez")
async def livez() -> str:
    """Say that the server is up."""
    return "ok"


@app.post("/predict")
async def predict(request: Request) -> BlobResponse:
    """Return what the bytes are."""
    return measured(await request.body())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
