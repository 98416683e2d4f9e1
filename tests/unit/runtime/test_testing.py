from __future__ import annotations

from pathlib import Path

from litgen_runtime.settings import load
from litgen_runtime.testing import FakeClock, webhooks_to


def test_clock_stands_still() -> None:
    """Time passes only when told to."""
    clock = FakeClock(3.0)
    assert (clock(), clock()) == (3.0, 3.0)
    assert clock.advance(0.5) == 3.5
    assert clock() == 3.5


def test_webhooks_go_to_this_machine_alone(tmp_path: Path) -> None:
    """Whatever service.toml allows, a test tells its own receiver and nobody else."""
    path = tmp_path / "service.toml"
    path.write_text(
        '[service]\nname = "x"\n[webhooks]\nallow_hosts = ["*.example.org"]\n[endpoints.a]\n'
        'handler = "a:B"\nrequest = "a:C"\nresponse = "a:D"\npath = "/a"\njobs = true\n'
    )
    webhooks = load(path, environ=webhooks_to(9000, "whsec_secret")).webhooks
    assert (webhooks.secrets, webhooks.allow_hosts, webhooks.ports) == ("env:WEBHOOK_SECRETS", ("127.0.0.1",), (9000,))
    assert (webhooks.allow_http, webhooks.allow_private) == (True, True)
