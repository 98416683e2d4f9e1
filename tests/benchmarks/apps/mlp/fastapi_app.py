"""mlp in FastAPI by hand: no batches, each request alone, in FastAPI's thread pool."""

import sys

import uvicorn
from fastapi import FastAPI

from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.apps.mlp.schemas import MlpRequest, MlpResponse

app = FastAPI()
model = Mlp()


@app.get("/livez")
async def livez() -> str:
    """Say that the server is up."""
    return "ok"


@app.post("/predict")
def predict(request: MlpRequest) -> MlpResponse:
    """Return the label."""
    return MlpResponse(label=model.run([request.features])[0])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
