"""device in FastAPI by hand: no batches, each request a step of the device, in FastAPI's thread pool."""

import sys

import uvicorn
from fastapi import FastAPI

from tests.benchmarks.apps.device.model import Device
from tests.benchmarks.apps.device.schemas import DeviceRequest, DeviceResponse

app = FastAPI()
device = Device()


@app.get("/livez")
async def livez() -> str:
    """Say that the server is up."""
    return "ok"


@app.post("/predict")
def predict(request: DeviceRequest) -> DeviceResponse:
    """Return the square."""
    return DeviceResponse(y=device.run([request.x])[0])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
