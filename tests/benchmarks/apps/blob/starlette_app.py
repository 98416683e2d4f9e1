"""blob in a bare Starlette route: the body is read and measured in the HTTP process."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.apps.blob.schemas import measured


async def livez(_request: Request) -> Response:
    """Say that the server is up."""
    return Response("ok")


async def predict(request: Request) -> Response:
    """Return what the bytes are."""
    return Response(measured(await request.body()).model_dump_json(), media_type="application/json")


app = Starlette(routes=[Route("/livez", livez), Route("/predict", predict, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
